#pragma once
#include "cinecortex/linalg/dense.hpp"
#include "cinecortex/parallel/communicator.hpp"

namespace cinecortex::linalg {

/// The size from which ranks decompose a matrix together; below it one rank's threads are faster, on few ranks.
inline constexpr Index together_from = 4000;

/// All eigenpairs of a symmetric matrix that every rank holds, on every rank, the same to the bit. Small
/// ones: rank 0's threads and a broadcast; larger ones: ScaLAPACK pdsyevd on a nearly square 2-D block-cyclic
/// grid. Ranks that do not fit the grid wait for the result.
/// Memory: 2 n² numbers a rank, plus 4 n² (rank 0), or 4 n²/P with ScaLAPACK.
/// @param scalapack_from  the size n from which ScaLAPACK is used (0: always, for tests)
/// @pre    the workspace, 2 n² on rank 0 or 2 n²/P with ScaLAPACK, is counted in 32 bits
/// @throws StageError, on every rank, if it holds NaN or infinity, or does not converge.
/// Collective: over comm.
EigenPairs eigh(MatrixD symmetric, const parallel::Communicator& comm, Index scalapack_from = together_from);

}  // namespace cinecortex::linalg
