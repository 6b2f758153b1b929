#pragma once
#include <vector>

#include "cinecortex/core/types.hpp"

namespace cinecortex::encoding {

/// A quadratic form in shrunken coordinates, for every alpha from one product:
///   q(α) = Σ_ij s_i s_j a_i a_j W_ij,   s = λ/(λ+α).
/// Since s_i s_j = (λ_j s_i - λ_i s_j)/(λ_j - λ_i), it is Σ_i s_i z_i with z = a ∘ Ma, M_ij = 2 W_ij λ_j/(λ_j - λ_i), which
/// knows no alpha. Pairs of neighbouring eigenvalues, where that would cancel, take s² and s³ instead, in a band about the
/// diagonal. Where alphas exceed λ_1, shrinkages are taken from those of an eigenvalue m = λ_1, for a second product.
/// Source: mathematics §4.   Collective: no.
template <class Scalar>
class PathForm {
 public:
  /// @param values  λ [r], descending, positive    @param w  [r, r], symmetric    @param alphas  not negative
  PathForm(const VectorD& values, const MatrixD& w, const std::vector<double>& alphas);

  /// q [A, t] of coordinates a [r, t].   From any thread.
  MatrixD operator()(const Matrix<Scalar>& a) const;
  /// ‖s ∘ a‖² [A, t].   From any thread.
  MatrixD shrunken_squares(const Matrix<Scalar>& a) const;
  /// How much of an alpha's q is rounding, and what neighbours' expansion leaves: about [A] · ‖a‖ · ‖s ∘ a‖, as some random
  /// coordinates show.
  /// @param w  that the form was made of
  VectorD rounding(const MatrixD& w) const;
  /// How many products of an r × r matrix with a it costs.
  double products() const noexcept;

 private:
  /// Neighbours of some rows.
  struct Band {
    Range rows, columns;
    Matrix<Scalar> squares, cubes;  ///< [rows, columns] what counts with s², and with s³
  };

  MatrixD shrinkages_;  ///< [r, A] s
  /// [A] s of λ_1. All that follows is divided by its square, which float32 may not hold.
  VectorD at_largest_;
  Matrix<Scalar> far_weights_, squares_, cubes_;  ///< [r, A] what far pairs' z counts, s², s³
  Matrix<Scalar> far_, constant_;  ///< [r, r], or nothing; the latter, where alphas exceed λ_1, counts 1
  std::vector<Band> bands_;
};

}  // namespace cinecortex::encoding
