#pragma once
#include <mutex>
#include <optional>
#include <vector>

#include "cinecortex/encoding/held_out.hpp"
#include "path_form.hpp"

namespace cinecortex::encoding {

/// Σŷ² of every alpha's predictions.
struct Variation {
  MatrixD squares;   ///< [A, t]
  MatrixD rounding;  ///< [A, t] about how much of it is not known; 0 where it is all there is to know
};

/// Held-out rows in the axes of a fit, as far as targets do not matter: made once, used for any number of them.
/// Targets are Λ^-½VᵀC̃ there, in units of responses, which shrinkages λ/(λ+α) turn into what is fitted.
/// Collective: no.
class HeldOutRows {
 public:
  /// @param axes, test, alphas  outlive the object
  /// @param targets             how many will be scored: turning G into the axes pays where there are many
  HeldOutRows(const RidgeAxes& axes, const CentredStatistics& test, const std::vector<double>& alphas,
              Index targets, Products products);

  const CentredStatistics& test() const noexcept { return test_; }
  /// Whether products are in float32.
  bool single() const noexcept { return single_.has_value(); }
  /// λ/(λ+α) of the largest eigenvalue [A], and of all beside it [r, A].
  const VectorD& at_largest() const noexcept { return at_largest_; }
  const MatrixD& beside_largest() const noexcept { return beside_largest_; }
  /// What the means of these rows and of the fit's differ by, in the axes [r]
  const VectorD& offset() const noexcept { return offset_; }
  /// Λ^-½VᵀC̃ [r, t] of some rows and targets, times each target's factor. In float32 nothing is rounded that is large
  /// beside small directions.   From any thread.
  template <class Scalar>
  Matrix<Scalar> projected(const CentredStatistics& rows, Range targets, const VectorD& factors) const;
  /// Σŷ² of these rows about their means, from the fit's projected targets [r, t].   From any thread.
  template <class Scalar>
  Variation variation(const Matrix<Scalar>& fit) const;
  /// The same by a product with G for every alpha, which loses nothing.   From any thread.
  Variation variation_by_alpha(const MatrixD& fit) const;
  /// How many products of an r × r matrix with all targets the variation costs.
  double products() const;

 private:
  MatrixD turned_gram() const;
  /// All alphas by one product, and what of it is rounding.
  template <class Scalar>
  struct Path {
    PathForm<Scalar> form;
    VectorD rounding;  ///< [A]
  };
  template <class Scalar>
  Path<Scalar> path_of(const MatrixD& w) const;
  template <class Scalar>
  Variation by_path(const Path<Scalar>& path, const Matrix<Scalar>& fit) const;
  const Path<double>& whole() const;
  const MatrixD& gram() const;

  const RidgeAxes& axes_;
  const CentredStatistics& test_;
  const std::vector<double>& alphas_;
  bool turned_;
  MatrixD basis_;  ///< VΛ^-½ [p, r]
  MatrixD beside_largest_;
  VectorD at_largest_, offset_;
  std::optional<Path<float>> single_;
  MatrixF single_basis_;
  Index small_ = 0;  ///< directions, the last ones, that are projected in float32
  mutable std::once_flag once_whole_, once_gram_;
  mutable std::optional<Path<double>> whole_;  ///< made when first needed, as is the Gram matrix by itself
  mutable MatrixD gram_;
};

template <>
MatrixD HeldOutRows::projected<double>(const CentredStatistics& rows, Range targets,
                                       const VectorD& factors) const;
template <>
MatrixF HeldOutRows::projected<float>(const CentredStatistics& rows, Range targets,
                                      const VectorD& factors) const;
template <>
Variation HeldOutRows::variation<double>(const MatrixD& fit) const;
template <>
Variation HeldOutRows::variation<float>(const MatrixF& fit) const;

}  // namespace cinecortex::encoding
