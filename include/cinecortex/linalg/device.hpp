#pragma once
#include <string>

namespace cinecortex::linalg {

/// Where large products and eigendecompositions of this process run. Like the number of BLAS threads it is one
/// choice a process, made in main; the functions of linalg are the same either way, their results within rounding.
/// - "cpu": OpenBLAS and LAPACK.
/// - "cuda:N": that GPU, by libtorch. Products below a gigaflop stay on the CPU, as moving them would cost more.
/// - "torch-cpu": libtorch on the CPU: the very code of a GPU, for tests on machines without one; every size.
/// @throws InputError for other names, or if libtorch cannot use the device.   Collective: no.
void set_device(const std::string& device);
const std::string& device();

}  // namespace cinecortex::linalg
