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
/// Collective: no.
class HeldOutRows {
 public:
  /// @param axes, test, alphas  outlive the object
  /// @param targets             how many will be scored: turning G into the axes pays where there are many
  HeldOutRows(const RidgeAxes& axes, const Statistics& test, const std::vector<double>& alphas, Index targets,
              Products products);

  const RidgeAxes& axes() const noexcept { return axes_; }
  const Statistics& test() const noexcept { return test_; }
  /// Whether products are in float32.
  bool single() const noexcept { return single_.has_value(); }
  /// 1/(λ+α) [r, A]
  const MatrixD& inverses() const noexcept { return inverses_; }
  /// VᵀC [r, t] of some rows and targets, in the products' precision. It is divided by small √λ afterwards: so float32
  /// rounds nothing that is large beside them.   From any thread.
  template <class Scalar>
  MatrixD projected(const MatrixD& cross) const;
  /// Σŷ² of these rows about their means, from Λ^-½ĉ [r, t]: what is fitted to, in units of responses.
  ///   From any thread.
  template <class Scalar>
  Variation variation(const MatrixD& fit) const;
  /// The same by a product with G for every alpha, which loses nothing.   From any thread.
  Variation variation_by_alpha(const MatrixD& fit) const;
  /// Vᵀ(mean of these rows - mean of the fit's) [r]
  const VectorD& offset() const noexcept { return offset_; }
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
  Variation by_path(const Path<Scalar>& path, const MatrixD& fit) const;
  const Path<double>& whole() const;

  const RidgeAxes& axes_;
  const Statistics& test_;
  const std::vector<double>& alphas_;
  bool turned_;
  MatrixD inverses_;
  VectorD offset_;
  std::optional<Path<float>> single_;
  MatrixF single_vectors_;  ///< V
  Index small_ = 0;         ///< directions, the last of V, that are projected in float32
  mutable std::once_flag once_;
  mutable std::optional<Path<double>> whole_;  ///< made when first needed
};

}  // namespace cinecortex::encoding
