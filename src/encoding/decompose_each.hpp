#pragma once
#include <functional>
#include <vector>

#include "cinecortex/linalg/dense.hpp"
#include "cinecortex/parallel/communicator.hpp"

/// Many eigendecompositions of moderate size, as folds and configurations need them. One by itself leaves most of a
/// machine idle (half of its operations wait for memory, and threads wait for each other), so several run at a time:
/// each rank has its own, and shares its threads among them, one each.
namespace cinecortex::encoding {

/// What one fit takes while it is decomposed and evaluated: sums of its rows and of those left out, LAPACK's workspace,
/// this rank's targets in its axes.   Collective: no.
double fit_bytes(Index columns, Index targets);

/// How many fits a rank may decompose and evaluate side by side in `most_bytes`; 1 where threads do better on one after
/// the other, because it is large, or a GPU takes it.
/// @param columns  of the largest    @param targets  of this rank
Index side_by_side(Index columns, Index targets, double most_bytes);
/// The same on every rank.   Collective: over comm.
Index side_by_side(Index columns, Index targets, double most_bytes, const parallel::Communicator& comm);

/// fn(0) … fn(count - 1), in this order, from `at_once` threads where that is more than one.
/// Collective: no.
void for_each_of(Index count, Index at_once, const std::function<void(Index)>& fn);

/// @param columns  of the largest matrix; from linalg::together_from on, several ranks decompose one matrix together
/// @param matrix   gives matrix i [p, p], or an empty one to leave i out: on one rank, or on every rank together where
///                 they share the work; from several threads if at_once > 1. No collective calls.
/// @param take     gets the eigenpairs of [first, first + size) on every rank, in order. Collective calls allowed.
/// Memory: eigenpairs and LAPACK's workspace of `at_once` matrices, and the pairs of as many that another rank made.
/// @throws StageError on every rank if a decomposition fails, or what `matrix` throws.   Collective: over comm.
void decompose_each(Index count, Index columns, Index at_once, const std::function<MatrixD(Index)>& matrix,
                    const parallel::Communicator& comm,
                    const std::function<void(Index first, std::vector<linalg::EigenPairs>)>& take);

}  // namespace cinecortex::encoding
