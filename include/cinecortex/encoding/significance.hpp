#pragma once
#include <cstdint>
#include <vector>

#include "cinecortex/core/types.hpp"

namespace cinecortex::encoding {

struct SignificanceOptions {
  Index permutations = 1000;  ///< N; 0: significance is not asked for
  Index block_tr = 10;        ///< TRs that are permuted as one
  std::uint64_t seed = 1004;
};

/// Every run cut, from its first row on, into stretches of `block_tr` rows; the last of a run may be shorter.
/// @param run_rows  rows of each run, which lie one after the other   @throws InputError for block_tr < 1.
std::vector<Range> permutation_blocks(const std::vector<Index>& run_rows, Index block_tr);

/// Random permutations of whole blocks of consecutive TRs, and what they say of a correlation: the responses are
/// autocorrelated, so single TRs are not exchangeable, but blocks longer than the autocorrelation nearly are. Only
/// blocks of equal length change places, over all runs: these permutations form a group, which the p-value rests on,
/// and every row keeps a partner. A block whose length no other has stays where it is.
/// Permutation k depends on the seed, k and the blocks alone, and is the same for all targets, which keeps
/// their dependence.   Collective: no, all of it.
/// Source: method §8; Winkler et al. 2014, NeuroImage 92 (exchangeability blocks).
class BlockPermutations {
 public:
  /// @throws InputError: block_tr or permutations below 1.
  BlockPermutations(const std::vector<Index>& run_rows, const SignificanceOptions& options);

  Index rows() const noexcept { return rows_; }
  const std::vector<Range>& blocks() const noexcept { return blocks_; }
  double distinct() const noexcept {
    return distinct_;
  }  ///< how many permutations there are; may be infinite
  /// Whether there are no more than are drawn.
  bool few() const noexcept { return distinct_ <= static_cast<double>(options_.permutations); }

  /// For each block the one whose rows take its place.
  std::vector<Index> order(Index permutation) const;

  /// p = (1 + #{r_k ≥ r}) / (1 + N) for each target, one-sided; r_k is Pearson r of the prediction and the truth in
  /// permuted order. Equal to rounding (1e-7) counts as equal. A constant target has r = r_k = 0, so p = 1.
  /// Products in float32, sums in float64; about rows × targets × N multiply-adds, on this process's threads.
  /// Memory: 2 float32 copies of the arguments.
  /// @param truth  [rows, targets]    @param prediction  [rows, targets]
  VectorD p_values(const ConstViewF& truth, const ConstViewF& prediction) const;

 private:
  SignificanceOptions options_;
  std::vector<Range> blocks_;
  std::vector<std::vector<Index>> classes_;  ///< blocks of equal length, two or more
  Index rows_ = 0;
  double distinct_ = 1;
};

/// Benjamini–Hochberg: q[v] is the smallest false discovery rate at which target v counts as a discovery. Valid for
/// independent and for positively dependent targets.   Collective: no.
VectorD q_values(const VectorD& p);

}  // namespace cinecortex::encoding
