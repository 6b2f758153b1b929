#pragma once
#include <vector>

#include "cinecortex/encoding/statistics.hpp"
#include "cinecortex/linalg/dense.hpp"

namespace cinecortex::encoding {

/// Ridge fits of all alphas and targets from statistics alone, by one eigendecomposition:
/// G̃ = VΛVᵀ, ĉ = VᵀC̃, β(α) = V (Λ+α)⁻¹ ĉ. Directions whose eigenvalue is below λ_max · max(n, p) · eps stay
/// out of the fit for every alpha; so alpha = 0 is least squares of minimum norm.
/// Source: mathematics §2.   Collective: no, all of it.
class RidgePath {
 public:
  /// @throws NumericalError if the statistics are not finite.
  explicit RidgePath(const CentredStatistics& train);
  /// The same with the eigenpairs of `train.gram`, when they are known already.
  RidgePath(const CentredStatistics& train, const linalg::EigenPairs& pairs);

  Index rank() const noexcept { return values_.size(); }              ///< r
  const VectorD& values() const noexcept { return values_; }          ///< λ [r], ascending, all positive
  const MatrixD& vectors() const noexcept { return vectors_; }        ///< V [p, r]
  const MatrixD& projection() const noexcept { return projection_; }  ///< ĉ [r, t]
  const VectorD& mean_x() const noexcept { return mean_x_; }
  const VectorD& mean_y() const noexcept { return mean_y_; }
  const VectorD& squares_y() const noexcept { return squares_y_; }  ///< [t] ‖ỹ‖² of the fit
  Index rows() const noexcept { return rows_; }

  /// Weights [p, t] on raw columns, each target with its own alpha: ŷ = x·weights + intercept.
  MatrixD weights(const VectorD& alpha) const;
  VectorD intercept(const MatrixD& weights) const;

 private:
  Index rows_;
  VectorD values_, mean_x_, mean_y_, squares_y_;
  MatrixD vectors_, projection_;
};

/// How well the path's fits predict rows that they have not seen: everything from those rows' statistics.
/// With β of an alpha: Σŷ² = βᵀGβ, Σŷy = βᵀC about the held-out means. Source: mathematics §5.
struct HeldOut {
  MatrixD r;           ///< [A, t] Pearson r; 0 where truth or prediction is constant
  MatrixD r2;          ///< [A, t] 1 - SSE/‖y - mean(y)‖², predictions with the fit's intercept
  MatrixD mse;         ///< [A, t] SSE / rows
  double error = 0;    ///< bound of the low-rank family's relative error in ŷ (mathematics §3), all alphas
  Index products = 0;  ///< products with the held-out Gram matrix that were needed, at most A
};

/// How the family's terms are multiplied with the held-out Gram matrix.
/// - whole: in float64, terms to 1e-9 of every alpha's fitted values.
/// - single: in float32, terms to 1e-7, for statistics of float32 products: r and R² then have six digits.
enum class Products { whole, single };

/// @param test    statistics of the held-out rows, same columns and targets (any shifts)
/// @param alphas  in any order, not negative
HeldOut held_out(const RidgePath& path, const Statistics& test, const std::vector<double>& alphas,
                 Products products = Products::whole);

}  // namespace cinecortex::encoding
