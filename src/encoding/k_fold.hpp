#pragma once
#include <optional>

#include "cinecortex/encoding/lagged_statistics.hpp"
#include "ridge_problem.hpp"

namespace cinecortex::encoding {

/// Rows of every block that belong to one fold: whole blocks where several have rows, a contiguous part of
/// the rows where one has.
using Fold = std::vector<Range>;

/// @throws InputError if there are fewer blocks, or rows for two in each fold, than folds.   Collective: no.
std::vector<Fold> contiguous_folds(const RidgeProblem& problem, Index count);

/// Whole blocks with equal labels make a fold; folds without rows are left out.
/// @throws InputError if fewer than two are left.   Collective: no.
std::vector<Fold> labelled_folds(const RidgeProblem& problem, const std::vector<Index>& label_of);

/// The fold of each block; of blocks without rows it is 0. Nothing where folds cut a block.   Collective: no.
std::optional<std::vector<Index>> folds_of_blocks(const RidgeProblem& problem,
                                                  const std::vector<Fold>& folds);

/// Sums of the rows of each fold, this rank's own targets; read in one pass.
/// @param x  the problem's design, or other columns of the same rows
/// Collective: over the problem's communicator.
std::vector<Statistics> fold_statistics(const RidgeProblem& problem, const BlockSource& x,
                                        const std::vector<Fold>& folds, LaggedStatistics::Wanted wanted);

}  // namespace cinecortex::encoding
