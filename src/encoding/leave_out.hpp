#pragma once
#include <vector>

#include "cinecortex/core/types.hpp"

/// Exact left-out residuals of ridge fits from their spectral form, for every alpha, without refitting.
/// Kernels: no files, no communicator. Source: mathematics §2–4.
///
/// All are written in terms of what a fit does *not* explain: with g = α/(λ+α), the residuals are
/// e = e₀ + U (g ∘ ŷ) and one minus the leverage is d = d₀ + U² g, where e₀ and d₀ belong to the directions
/// that no weight can reach. So nothing is lost to cancellation where the leverage nears one. Where d₀ = 0
/// (to rounding) e₀ = 0 too, and e/d does not change when g is scaled: g/α → 1/(λ+α) is finite for alpha = 0.
namespace cinecortex::encoding {

/// g = factor · shape, with shape = (λ_min+α)/(λ+α) in (0, 1] and factor = α/(λ_min+α), which may be zero.
struct Shrinkage {
  Shrinkage(const VectorD& values, double alpha);
  VectorD shape;
  double factor;
};

/// No direction is out of reach: n - 1 of them, and the mean, explain any n rows.
bool reaches_all(Index rank, Index rows_global);

/// One minus leverage of the directions out of reach, below which it counts as zero.
double zero_leverage_gap(Index rows_global, Index rank);

/// Sums of squared leave-one-row-out residuals over rows that arrive in pieces.
class LeaveOneOut {
 public:
  /// @param values      λ [r]    @param projection  ŷ [r, t]    @param rows_global  n ≥ 2
  LeaveOneOut(const VectorD& values, const MatrixD& projection, const std::vector<double>& alphas,
              Index rows_global);
  /// @param u  [rows, r] rows of U    @param y  [rows, t] centred
  void add(const MatrixD& u, const MatrixD& y) {
    add_beyond(VectorD::Zero(static_cast<Index>(shrinkages_.size())), u, y);
  }
  /// Only what they exceed weight · (residual)² by, where weight [A] is a common one for left-out squares. Every call reads
  /// the projections of all targets, and scales them for each alpha: many rows at a time share that.
  void add_beyond(const VectorD& weight, const ConstViewD& u, const ConstViewD& y);
  MatrixD& sums() noexcept { return sums_; }  ///< [A, t]

 private:
  MatrixD projection_;
  std::vector<Shrinkage> shrinkages_;
  Index rows_global_;
  MatrixD sums_;
};

/// Generalised cross-validation, (SSE/n) / (1 - df/n)²: [A, t].
/// @param squares_y  ‖ỹ‖² [t]
MatrixD generalised_cross_validation(const VectorD& values, const MatrixD& projection,
                                     const VectorD& squares_y, const std::vector<double>& alphas,
                                     Index rows_global);

enum class Better { lower, higher };

/// The best alpha of a curve [A]; of those that tie within rounding (1e-12 relative) the largest, which is
/// the simplest model.
double choose_alpha(const VectorD& curve, const std::vector<double>& alphas, Better better);

}  // namespace cinecortex::encoding
