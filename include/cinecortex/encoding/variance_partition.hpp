#pragma once
#include <functional>
#include <utility>
#include <vector>

#include "cinecortex/encoding/statistics.hpp"
#include "cinecortex/parallel/communicator.hpp"

namespace cinecortex::encoding {

/// Positions of feature spaces, ascending.
using SpaceSet = std::vector<Index>;

/// The sets of spaces whose joint fits a partition needs: all 2^K - 1 for K ≤ 3; for more all spaces, each alone, and
/// all but one or two. The full set first, then by size, descending.   Collective: no.
std::vector<SpaceSet> partition_subsets(Index spaces);

struct PartitionOptions {
  std::vector<double> alphas;  ///< in the order given
  bool per_target = true;      ///< one alpha a target and set; otherwise one a set (best mean over targets)
};

/// A joint ridge fit of some spaces, and how it predicts the held-out rows.
struct SubsetFit {
  SpaceSet spaces;
  VectorD alpha;  ///< [t_local] chosen
  VectorD r2, r;  ///< [t_local] on the held-out rows
};

/// Whose the explained variance is, for this rank's targets. Parts are differences of held-out R², so where a space
/// adds nothing they scatter about 0 and below.
struct VariancePartition {
  Index fit_rows = 0, held_out_rows = 0;
  std::vector<SubsetFit> fits;                 ///< as partition_subsets
  MatrixD unique;                              ///< [K, t_local] R² that no other space can give
  std::vector<std::pair<Index, Index>> pairs;  ///< all pairs of spaces
  MatrixD shared;                              ///< [pairs, t_local] R² that these two can give, and no other
  VectorD rest;                                ///< [t_local] what three or more share; 0 for two spaces
};

/// Sums of unique, shared and rest are the R² of all spaces (inclusion–exclusion).
///
/// Every set is fitted by ridge with one alpha for all its columns, so spaces are first put on one scale: each divided
/// by one number, such that all have the same total variance in the fit, and columns a variance of 1 on average.
/// Alphas are compared by the mean R² over the folds, each predicted by the fit to all others, as `kfold:K`.
/// Statistics alone are needed: a set is a sub-block. Ranks decompose different folds at the same time.
/// Memory per rank: 8 (F + 2) p (p + t) for the statistics of F folds, t this rank's targets, and about 64 p² + 52 p t
/// while the largest set is fitted.
/// @param folds     statistics of the rows to fit on, in two groups or more that have rows
/// @param held_out  of rows that nothing is fitted on, about the same shifts
/// @param spaces    columns of each space: side by side, at least two, none empty
/// @param done      called on every rank after each set, with how many are done; may be empty
/// @throws InputError: fewer than two spaces, folds or held-out rows.
/// Collective: over comm; the result does not depend on the number of ranks beyond rounding.
/// Source: method §9.
VariancePartition partition_variance(std::vector<Statistics> folds, Statistics held_out,
                                     const std::vector<Range>& spaces, const PartitionOptions& options,
                                     const parallel::Communicator& comm,
                                     const std::function<void(Index)>& done = {});

}  // namespace cinecortex::encoding
