#pragma once
#include <vector>

#include "cinecortex/core/types.hpp"

namespace cinecortex::encoding {

/// The diagonals 1/(λ+α) of all alphas, written with few terms:
///   1/(λ_j + α_a) = Σ_r factors(j, r) · coefficients(r, a) + rest(j, a).
/// They are nearly dependent, since alphas far below λ_j, and far above it, all look alike there.
/// Source: mathematics §3.   Collective: no.
class AlphaFamily {
 public:
  /// The best terms for sums in which direction j counts `row_weights`[j] and alpha a `column_weights`[a]
  /// (a truncated singular value decomposition of the weighted matrix).
  /// @param values  λ [r], positive    @param row_weights  [r], not negative
  AlphaFamily(const VectorD& values, const std::vector<double>& alphas, const VectorD& row_weights,
              const VectorD& column_weights);

  Index most_terms() const noexcept { return factors_.cols(); }
  MatrixD factors(Index terms) const { return factors_.leftCols(terms); }           ///< [r, terms]
  MatrixD coefficients(Index terms) const { return coefficients_.topRows(terms); }  ///< [terms, A]
  MatrixD rest(Index terms) const;                                                  ///< [r, A]

 private:
  MatrixD inverses_, factors_, coefficients_;
};

}  // namespace cinecortex::encoding
