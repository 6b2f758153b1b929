#pragma once
#include <vector>

#include "cinecortex/encoding/statistics.hpp"
#include "cinecortex/linalg/dense.hpp"

namespace cinecortex::encoding {

/// What ridge fits on the same rows share, whatever their targets and alphas: G̃ = VΛVᵀ, so that with ĉ = VᵀC̃
/// β(α) = V (Λ+α)⁻¹ ĉ. Directions whose eigenvalue is below λ_max · max(n, p) · eps stay out of the fit for every
/// alpha; so alpha = 0 is least squares of minimum norm.
/// Source: mathematics §2.   Collective: no.
class RidgeAxes {
 public:
  /// @param fit    the fitted rows    @param pairs  of their G̃ [p, p]
  RidgeAxes(const CentredStatistics& fit, const linalg::EigenPairs& pairs);

  Index columns() const noexcept { return vectors_.rows(); }    ///< p
  Index rank() const noexcept { return values_.size(); }        ///< r
  const VectorD& values() const noexcept { return values_; }    ///< λ [r], descending, all positive
  const MatrixD& vectors() const noexcept { return vectors_; }  ///< V [p, r]
  const VectorD& mean_x() const noexcept { return mean_x_; }

 private:
  VectorD values_, mean_x_;
  MatrixD vectors_;
};

/// How well ridge fits predict rows that they have not seen: everything from those rows' statistics.
/// With β of an alpha: Σŷ² = βᵀGβ, Σŷy = βᵀC about the held-out means. Source: mathematics §4.
struct HeldOut {
  MatrixD r;        ///< [A, t] Pearson r; 0 where truth or prediction is constant
  MatrixD r2;       ///< [A, t] 1 - SSE/‖y - mean(y)‖², predictions with the fit's intercept
  double products;  ///< of an r × r matrix with all targets, that Σŷ² of all alphas took
};

/// In which precision the held-out Gram matrix is multiplied.
/// - whole: float64: r and R² have nine digits.
/// - single: float32, for statistics of float32 products: r and R² then have six digits. Targets for which it would not
///   do are multiplied in float64.
enum class Products { whole, single };

/// Targets are taken some hundred at a time, by several threads, so that the work happens in the caches and what it
/// takes is small beside the statistics.
/// @param fit     statistics of the fitted rows
/// @param test    of the held-out rows, same columns and targets (any shifts)
/// @param alphas  in any order, not negative
/// Collective: no.
HeldOut held_out(const RidgeAxes& axes, const CentredStatistics& fit, const CentredStatistics& test,
                 const std::vector<double>& alphas, Products products = Products::whole);

}  // namespace cinecortex::encoding
