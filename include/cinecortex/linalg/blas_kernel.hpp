#pragma once

namespace cinecortex::linalg {

/// OpenBLAS picks its kernels when it is loaded, by the processor's model number. For a model younger than
/// itself it takes those of 2004 (SSE3, reported as "Prescott"), eight times slower than what AVX-512 can do.
/// If that happened, restarts this program with the kernels that the processor's features allow; does nothing
/// if OPENBLAS_CORETYPE is set, or where OpenBLAS made a fair choice.
/// Call it first in main, before MPI and threads.   Collective: no.
void use_fitting_blas_kernel(char** argv);

}  // namespace cinecortex::linalg
