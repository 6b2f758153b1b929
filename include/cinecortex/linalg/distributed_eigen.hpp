#pragma once
#include "cinecortex/linalg/dense.hpp"
#include "cinecortex/parallel/communicator.hpp"

namespace cinecortex::linalg {

/// All eigenpairs of a symmetric matrix that every rank holds, on every rank. Small ones: rank 0's threads
/// and a broadcast (faster up to n ≈ 4000 on few ranks); larger ones: ScaLAPACK pdsyevd on a 2-D block-cyclic
/// grid.
/// @param scalapack_from  the size n from which ScaLAPACK is used (0: always, for tests)
/// @throws NumericalError.   Collective: over comm.
EigenPairs eigh(const ConstViewD& symmetric, const parallel::Communicator& comm, Index scalapack_from = 4000);

}  // namespace cinecortex::linalg
