#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <algorithm>
#include <type_traits>

#include "cinecortex/core/error.hpp"
#include "cinecortex/linalg/product_sum.hpp"
#include "cinecortex/parallel/threads.hpp"
#include "device_kernels.hpp"

namespace cinecortex::linalg {
namespace {

template <class Scalar>
constexpr at::ScalarType type_of = std::is_same_v<Scalar, float> ? at::kFloat : at::kDouble;

/// The host's numbers as a tensor, without a copy.   @pre used before `view`'s numbers go away; not written to.
template <class Scalar>
at::Tensor on_host(const ConstView<Scalar>& view) {
  auto* numbers = const_cast<Scalar*>(view.data());  // a tensor has no const form
  return at::from_blob(numbers, {view.rows(), view.cols()}, {view.outerStride(), 1},
                       at::TensorOptions().dtype(type_of<Scalar>));
}

template <class Scalar>
void to_host(const at::Tensor& tensor, View<Scalar> view) {
  at::from_blob(view.data(), {view.rows(), view.cols()}, {view.outerStride(), 1},
                at::TensorOptions().dtype(type_of<Scalar>))
      .copy_(tensor);
}

class TorchSum final : public DeviceSum {
 public:
  TorchSum(const at::Device& device, Index rows, Index columns)
      : device_(device),
        total_(at::zeros({rows, columns}, at::TensorOptions().dtype(at::kDouble).device(device))) {}

  void add(const ConstViewF& a, const ConstViewF& b) override { add_product<float>(a, b); }
  void add(const ConstViewD& a, const ConstViewD& b) override { add_product<double>(a, b); }

  MatrixD take() override {
    MatrixD result(total_.size(0), total_.size(1));
    to_host<double>(total_, result);
    total_ = at::Tensor();
    return result;
  }

 private:
  template <class Scalar>
  void add_product(const ConstView<Scalar>& a, const ConstView<Scalar>& b) {
    const at::Tensor left = on_host<Scalar>(a).to(device_);
    const bool same = a.data() == b.data() && a.cols() == b.cols();
    const at::Tensor right = same ? left : on_host<Scalar>(b).to(device_);
    const Index most = std::is_same_v<Scalar, float> ? most_rows_of_float32 : std::max<Index>(a.rows(), 1);
    for (Index row = 0; row < a.rows(); row += most) {
      const Index count = std::min(most, a.rows() - row);
      total_.add_(at::mm(left.narrow(0, row, count).t(), right.narrow(0, row, count)).to(at::kDouble));
    }
  }

  at::Device device_;
  at::Tensor total_;
};

class TorchKernels final : public DeviceKernels {
 public:
  explicit TorchKernels(const at::Device& device) : device_(device) {
    // Float32 products must be float32 products: no TF32, which keeps ten bits.
    at::globalContext().setAllowTF32CuBLAS(false);
  }

  bool takes(double flops) const override {
    constexpr double worth_the_way = 1e9;
    return device_.is_cpu() || flops >= worth_the_way;
  }

  std::unique_ptr<DeviceSum> sum(Index rows, Index columns) const override {
    return std::make_unique<TorchSum>(device_, rows, columns);
  }

  void gemm(bool transpose_a, bool transpose_b, double alpha, const ConstViewD& a, const ConstViewD& b,
            double beta, ViewD c) const override {
    multiply<double>(transpose_a, transpose_b, alpha, a, b, beta, c);
  }
  void gemm(bool transpose_a, bool transpose_b, float alpha, const ConstViewF& a, const ConstViewF& b,
            float beta, ViewF c) const override {
    multiply<float>(transpose_a, transpose_b, alpha, a, b, beta, c);
  }

  EigenPairs eigh(const ConstViewD& symmetric) const override {
    const auto [values, vectors] = at::linalg_eigh(on_host<double>(symmetric).to(device_), "U");
    EigenPairs pairs{VectorD(symmetric.rows()), MatrixD(symmetric.rows(), symmetric.cols())};
    const at::Tensor on_cpu = values.to(at::kCPU).contiguous();
    pairs.values = Eigen::Map<const VectorD>(on_cpu.data_ptr<double>(), pairs.values.size());
    to_host<double>(vectors, pairs.vectors);
    return pairs;
  }

 private:
  template <class Scalar>
  void multiply(bool transpose_a, bool transpose_b, Scalar alpha, const ConstView<Scalar>& a,
                const ConstView<Scalar>& b, Scalar beta, View<Scalar> c) const {
    const at::Tensor left = on_host<Scalar>(a).to(device_), right = on_host<Scalar>(b).to(device_);
    at::Tensor product = at::mm(transpose_a ? left.t() : left, transpose_b ? right.t() : right);
    if (alpha != Scalar{1}) product.mul_(alpha);
    if (beta != Scalar{0}) product.add_(on_host<Scalar>(c).to(device_), beta);
    to_host<Scalar>(product, c);
  }

  at::Device device_;
};

}  // namespace

std::unique_ptr<DeviceKernels> make_torch_kernels(const std::string& device) {
  try {
    const at::Device chosen(device == "torch-cpu" ? "cpu" : device);
    if (device != "torch-cpu" && !chosen.is_cuda()) throw InputError("allowed are cpu, cuda:N, torch-cpu");
    at::set_num_threads(parallel::openmp_threads());  // or the first operation sets OpenMP's to all cores
    static_cast<void>(at::zeros({1}, at::TensorOptions().device(chosen)));
    return std::make_unique<TorchKernels>(chosen);
  } catch (const std::exception& e) {
    throw InputError(fmt::format("device \"{}\" cannot be used by libtorch: {}", device, e.what()));
  }
}

}  // namespace cinecortex::linalg
