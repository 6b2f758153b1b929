#pragma once
#include <vector>

#include "cinecortex/core/types.hpp"

namespace cinecortex::encoding {

/// Row count, means and centred co-moments of a few variables. Merged pairwise, so large means cost no
/// digits.
struct Moments {
  explicit Moments(Index variables);
  void merge(const Moments& other);
  MatrixD second() const;  ///< uncentred mean of products, [m, m]

  double rows = 0;
  VectorD mean;  ///< [m]
  MatrixD co;    ///< [m, m] Σ (v_i - mean_i)(v_j - mean_j)
};

/// Moments of every block and target, packed so that a reduction completes them.   Collective: no.
class BlockMoments {
 public:
  BlockMoments(Index blocks, Index targets, Index variables);
  /// @param variables  m matrices [rows, targets]; centred in place
  void add(Index block, std::vector<MatrixD>& variables);
  VectorD& rows() noexcept { return rows_; }  ///< [blocks]; to be summed over ranks, as is packed()
  MatrixD& packed() noexcept { return packed_; }

  Moments of(Index block, Index target) const;
  Moments total(Index target) const;
  /// For each block the moments of all others, merged from both sides: nothing is subtracted.
  std::vector<Moments> without_each(Index target) const;

 private:
  Index blocks_, targets_, variables_;
  VectorD rows_;
  MatrixD packed_;  ///< [blocks · targets, m + m(m+1)/2]: means, upper triangle
};

}  // namespace cinecortex::encoding
