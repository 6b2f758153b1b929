#pragma once
#include <vector>

#include "cinecortex/core/types.hpp"

namespace cinecortex::encoding {

/// Eigenvalues in ranges, each with terms of its own: most of them lie close together at the small end, where fewer
/// terms do, and what the others need costs little, for they are few. As few operations as they find.
/// @param values  λ [r] ascending or descending, positive    @param row_weights, column_weights  as AlphaFamily takes them
/// @param rest       of the weighted diagonals, which terms may leave: the root of the sum of squares
/// @param of_a_term  what a term costs beside its directions, in directions
/// @return ranges that make up [0, r)
/// Source: mathematics §3.   Collective: no.
std::vector<Range> ranges_of_terms(const VectorD& values, const std::vector<double>& alphas,
                                   const VectorD& row_weights, const VectorD& column_weights, double rest,
                                   double of_a_term);

/// The terms of one range of directions.
struct RangeTerms {
  Range directions;
  std::vector<Index> terms;
};

/// The diagonals 1/(λ+α) of all alphas, written with few terms:
///   1/(λ_j + α_a) = Σ_q factors(j, q) · coefficients(q, a) + rest(j, a),
/// each term zero outside one of the ranges. They are nearly dependent, since alphas far below λ_j, and far above it, all
/// look alike there.
/// Source: mathematics §3.   Collective: no.
class AlphaFamily {
 public:
  /// The best terms of every range for sums in which direction j counts `row_weights`[j] and alpha a `column_weights`[a]
  /// (a truncated singular value decomposition of the weighted matrix), in the order in which they count.
  /// @param values  λ [r], positive    @param row_weights  [r], not negative
  /// @param ranges  as ranges_of_terms gives them
  AlphaFamily(const VectorD& values, const std::vector<double>& alphas, const VectorD& row_weights,
              const VectorD& column_weights, std::vector<Range> ranges);

  Index most_terms() const noexcept { return factors_.cols(); }
  MatrixD factors(Index terms) const { return factors_.leftCols(terms); }           ///< [r, terms]
  MatrixD coefficients(Index terms) const { return coefficients_.topRows(terms); }  ///< [terms, A]
  MatrixD rest(Index terms) const;                                                  ///< [r, A]
  /// The first `terms` by their ranges, without those that have none of them.
  std::vector<RangeTerms> by_range(Index terms) const;
  /// How many products with all r directions the first `terms` cost.
  double products(Index terms) const;

 private:
  std::vector<Range> ranges_;
  std::vector<std::size_t> range_of_;  ///< [terms]
  MatrixD inverses_, factors_, coefficients_;
};

}  // namespace cinecortex::encoding
