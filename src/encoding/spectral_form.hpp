#pragma once
#include <memory>
#include <string>

#include "ridge_problem.hpp"

namespace cinecortex::encoding {

/// A regression in the design's own axes. With the centred design X̃ = U Λ^½ Vᵀ, directions without variance
/// left out, every ridge fit is U (λ/(λ+α) ∘ ŷ), ŷ = Uᵀỹ: one decomposition serves all alphas, and the
/// criteria need nothing but U's rows. Its two forms, primal (p ≤ n) and dual (n < p), differ only in where U
/// comes from. Source: mathematics §1, §2.
class SpectralForm {
 public:
  virtual ~SpectralForm() = default;
  virtual std::string name() const = 0;

  /// Rows of U for one of this rank's blocks: [rows(block), r].   Collective: no.
  virtual MatrixD left_vectors(Index block) const = 0;

  /// X̃ᵀ U Λ⁻¹ f: weights [p, t_owned] of this rank's own targets from their shrunk projections.
  /// @param shrunk  [r, t_col] λ/(λ+α) ∘ ŷ for the targets of this rank's grid column
  /// Collective: over the problem's communicator.
  virtual MatrixD weights(const MatrixD& shrunk) const = 0;

  Index rank() const noexcept { return values_.size(); }              ///< r
  const VectorD& values() const noexcept { return values_; }          ///< λ [r], ascending, all positive
  const MatrixD& projection() const noexcept { return projection_; }  ///< ŷ [r, t_col]
  const VectorD& mean_x() const noexcept { return mean_x_; }          ///< [p]
  const VectorD& mean_y() const noexcept { return mean_y_; }          ///< [t_col]
  const VectorD& squares_y() const noexcept { return squares_y_; }    ///< [t_col] ‖ỹ‖²

 protected:
  VectorD values_, mean_x_, mean_y_, squares_y_;
  MatrixD projection_;
};

/// Reads the data once (primal) or x and y once each (dual) and decomposes.
/// The form keeps a reference to `problem`.   Collective: over the problem's communicator.
std::unique_ptr<SpectralForm> decompose(const RidgeProblem& problem);

}  // namespace cinecortex::encoding
