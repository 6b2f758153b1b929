#pragma once
#include <memory>

#include "cinecortex/linalg/dense.hpp"

/// What linalg's functions ask of a device. Matrices come from the host and go back to it, but for those that stay
/// because they are used many times. libtorch is used in device_torch.cpp alone.   Collective: no, all of it.
namespace cinecortex::linalg {

/// A float64 sum of products that stays on the device until it is taken.
class DeviceSum {
 public:
  virtual ~DeviceSum() = default;
  virtual void add(const ConstViewF& a, const ConstViewF& b) = 0;
  virtual void add(const ConstViewD& a, const ConstViewD& b) = 0;
  virtual MatrixD take() = 0;
};

class DeviceKernels {
 public:
  virtual ~DeviceKernels() = default;
  /// Whether work of so many operations is worth the way to the device and back.
  virtual bool takes(double flops) const = 0;
  virtual std::unique_ptr<DeviceSum> sum(Index rows, Index columns) const = 0;
  virtual void gemm(bool transpose_a, bool transpose_b, double alpha, const ConstViewD& a,
                    const ConstViewD& b, double beta, ViewD c) const = 0;
  virtual void gemm(bool transpose_a, bool transpose_b, float alpha, const ConstViewF& a, const ConstViewF& b,
                    float beta, ViewF c) const = 0;
  virtual EigenPairs eigh(const ConstViewD& symmetric) const = 0;
};

/// @param device  "cuda:N" or "torch-cpu"    @throws InputError if it cannot be used.
std::unique_ptr<DeviceKernels> make_torch_kernels(const std::string& device);

/// The device of this process; nullptr for the CPU.
const DeviceKernels* device_kernels();
/// The same if it takes so many operations, else nullptr.
const DeviceKernels* device_for(double flops);

}  // namespace cinecortex::linalg
