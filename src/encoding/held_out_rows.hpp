#pragma once
#include <mutex>
#include <optional>

#include "cinecortex/encoding/held_out.hpp"

namespace cinecortex::encoding {

/// H [r, r] with H + Hᵀ = Λ^-½ VᵀGV Λ^-½, G of the held-out rows about their means: all that a quadratic form in fitted
/// values needs, for half of the products. Its entries are of order one, so that it may be single precision.
template <class Scalar>
class HalfGram {
 public:
  HalfGram(const RidgeAxes& axes, const Statistics& test);
  /// H b for b that is zero outside some rows, of which only those are given: the rows [0, some.end) of the product, below
  /// which it is zero.
  Matrix<Scalar> times(Range some, const Matrix<Scalar>& b) const;
  /// About the largest eigenvalue of H + Hᵀ.
  double norm() const;

 private:
  Matrix<Scalar> half_;  ///< blocks of rows from their diagonal blocks on, which count half; zero elsewhere
};

/// Held-out rows in the axes of a fit, as far as targets do not matter: made once, used for any number of them.
/// Collective: no.
class HeldOutRows {
 public:
  /// @param axes, test  outlive the object
  /// @param targets     how many will be scored: turning G into the axes pays where there are many
  HeldOutRows(const RidgeAxes& axes, const Statistics& test, Index targets, Products products);

  const RidgeAxes& axes() const noexcept { return axes_; }
  const Statistics& test() const noexcept { return test_; }
  /// Whether products are in float32.
  bool single() const noexcept { return single_.has_value(); }
  /// VᵀC [r, t] of these rows and some targets, in the products' precision.   From any thread.
  template <class Scalar>
  MatrixD projected(const MatrixD& cross) const;
  /// The same of the rows of the fit, which is divided by small λ afterwards: so float32 rounds nothing that is large
  /// beside them.   From any thread.
  template <class Scalar>
  MatrixD fit_projected(const MatrixD& cross) const;
  double single_norm() const noexcept { return single_norm_; }
  /// Vᵀ(mean of these rows - mean of the fit's) [r]
  const VectorD& offset() const noexcept { return offset_; }

  /// Ranges of directions that half_gram_times is best asked for.
  std::vector<Range> ranges(const std::vector<double>& alphas, double tolerance) const;
  /// H b for columns b in units of the fitted values, zero outside some directions: as HalfGram::times.
  /// @pre `some` is one of the ranges.   From any thread.
  MatrixF half_gram_times(Range some, const MatrixF& b) const { return single_->times(some, b); }
  MatrixD half_gram_times(Range some, const MatrixD& b) const;
  /// What such a product takes of one with all directions.
  double share_of(Range some) const;

 private:
  MatrixD half_gram_times_few(const MatrixD& b) const;

  const RidgeAxes& axes_;
  const Statistics& test_;
  bool turned_;
  VectorD offset_;
  std::optional<HalfGram<float>> single_;
  MatrixF single_vectors_;  ///< V
  Index small_ = 0;         ///< directions, the last of V, that may be projected in float32
  double single_norm_ = 0;
  mutable std::once_flag once_;
  mutable std::optional<HalfGram<double>> whole_;  ///< made when first needed
};

}  // namespace cinecortex::encoding
