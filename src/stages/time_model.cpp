#include "time_model.hpp"

#include <algorithm>
#include <cmath>

#include "cinecortex/core/clock.hpp"
#include "cinecortex/linalg/dense.hpp"
#include "cinecortex/linalg/distributed_eigen.hpp"

namespace cinecortex::stages {
namespace {

// Shares of the matrix product's rate that kernels reach (docs/performance.md, kernels and ranks).
constexpr double share_of_products = 0.8, share_of_decompositions = 1.0 / 3;
constexpr double share_of_together = 0.5;  // of each one's rate, where ranks decompose a matrix together

template <class Scalar>
double product_flops() {
  constexpr Index size = 1024;  // large enough for a GPU, where there is one
  constexpr double enough_s = 0.1;
  const Matrix<Scalar> a = Matrix<Scalar>::Constant(size, size, Scalar{0.5}), b = a;
  Matrix<Scalar> c = a;
  const auto multiply = [&] { linalg::gemm(false, false, Scalar{1}, a, b, Scalar{0}, c); };
  multiply();  // threads start, pages are touched
  const Stopwatch clock;
  double products = 0;
  do {
    multiply();
    ++products;
  } while (clock.seconds() < enough_s);
  return products * 2 * std::pow(static_cast<double>(size), 3) / clock.seconds();
}

}  // namespace

MachineSpeed measure_speed(const parallel::Communicator& comm) {
  comm.barrier();
  const double single_flops = product_flops<float>();
  comm.barrier();
  return {comm.min(single_flops), comm.min(product_flops<double>())};
}

double TimeModel::single_products(double operations) const {
  return operations / (share_of_products * speed_.single_flops * ranks_);
}

double TimeModel::double_products(double operations) const {
  return operations / (share_of_products * speed_.double_flops * ranks_);
}

double TimeModel::decompositions(Index count, Index size) const {
  const bool together = size >= linalg::together_from && ranks_ > 1;
  const double at_once = together ? std::max(1.0, share_of_together * ranks_)
                                  : static_cast<double>(std::min<Index>(count, ranks_));
  return static_cast<double>(count) * linalg::eigh_operations(size) /
         (share_of_decompositions * speed_.double_flops * at_once);
}

double TimeModel::pca(encoding::PcaSolver solver, const encoding::PcaShape& shape) const {
  const double bytes = 4 * static_cast<double>(shape.rows) * static_cast<double>(shape.columns);
  return double_products(encoding::pca_operations(solver, shape)) + files(2 * bytes);
}

double TimeModel::ridge(const encoding::RidgeShape& shape) const {
  const auto n = static_cast<double>(shape.rows), p = static_cast<double>(shape.columns),
             t = static_cast<double>(shape.targets);
  const auto operations = encoding::ridge_operations(shape);
  return single_products(operations.row_products) +
         decompositions(operations.decompositions, operations.order) +
         double_products(operations.axis_products) + files(4 * n * (2 * t + 3 * p) + 8 * p * t);
}

double TimeModel::sweep(const encoding::RidgeShape& shape, const std::vector<Index>& columns) const {
  const auto n = static_cast<double>(shape.rows), t = static_cast<double>(shape.targets);
  const auto widest = static_cast<double>(*std::max_element(columns.begin(), columns.end()));
  double seconds = single_products(n * widest * (widest + 2 * t)) + files(4 * n * (t + widest));
  for (const Index p : columns) {
    const auto size = static_cast<double>(p);
    seconds += decompositions(shape.folds, p) +
               double_products(static_cast<double>(shape.folds) * 4 * size * size * t);
  }
  return seconds;
}

double TimeModel::predictions(Index rows, Index columns, Index targets) const {
  const auto n = static_cast<double>(rows), p = static_cast<double>(columns),
             t = static_cast<double>(targets);
  return single_products(2 * n * p * t) + files(8 * p * t + 4 * n * (p + t));
}

}  // namespace cinecortex::stages
