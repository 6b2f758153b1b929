#pragma once
#include <span>

#include "cinecortex/core/types.hpp"

namespace cinecortex::encoding {

/// The sums over rows that a regression needs: after them no row is read again. All sums are about a shift, a
/// first estimate of the means, so that means far from zero cost no digits.
/// Sums over disjoint rows with the same shifts add up, and can be taken away again (folds, missing runs).
/// Source: mathematics §1.   Collective: no, all of it.
struct Statistics {
  Index rows = 0;     ///< n
  VectorD shift_x;    ///< [p]
  VectorD shift_y;    ///< [t]
  VectorD sum_x;      ///< [p] Σ (x - shift_x)
  VectorD sum_y;      ///< [t] Σ (y - shift_y)
  VectorD squares_y;  ///< [t] Σ (y - shift_y)²
  MatrixD gram;       ///< [p, p] Σ (x - shift_x)(x - shift_x)ᵀ, both triangles
  MatrixD cross;      ///< [p, t] Σ (x - shift_x)(y - shift_y)ᵀ

  Index columns() const noexcept { return sum_x.size(); }  ///< p
  Index targets() const noexcept { return sum_y.size(); }  ///< t

  /// @throws Error if shapes or shifts differ.
  Statistics& operator+=(const Statistics& other);
  Statistics& operator-=(const Statistics& other);
  /// The same rows, only these columns of x, in this order.
  Statistics select(std::span<const Index> columns) const;
  /// The same rows, only these targets, and no Gram matrix.
  Statistics of_targets(Range targets) const;
};

/// Statistics about the rows' own means: G̃ = XᵀX - n μμᵀ, C̃ = XᵀY - n μ_x μ_yᵀ.
struct CentredStatistics {
  Index rows = 0;
  VectorD mean_x;     ///< [p]
  VectorD mean_y;     ///< [t]
  VectorD squares_y;  ///< [t] ‖ỹ‖², not negative
  MatrixD gram;       ///< [p, p]
  MatrixD cross;      ///< [p, t]

  /// The same rows, only these targets, and no Gram matrix.
  CentredStatistics of_targets(Range targets) const;
};

/// @pre statistics.rows ≥ 1
CentredStatistics centre(Statistics statistics);

/// The rows of `whole` that are not among those of `part`, of some targets: centred, without the Gram matrix.
/// @pre there are such rows; the shifts are the same
CentredStatistics centred_rest(const Statistics& whole, const Statistics& part, Range targets);
/// Their centred Gram matrix [p, p].
MatrixD centred_gram_of_rest(const Statistics& whole, const Statistics& part);

}  // namespace cinecortex::encoding
