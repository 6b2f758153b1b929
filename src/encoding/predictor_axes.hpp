#pragma once
#include <vector>

#include "leave_out.hpp"
#include "stack_moments.hpp"

namespace cinecortex::encoding {

/// Weights of all K models (0 for those left out) and what is added to their sum.
struct Combination {
  VectorD weights;
  double intercept = 0;
};

/// A regression of one target on a few predictions, in the predictions' own axes: everything ridge and least
/// squares need, from moments alone.   Collective: no.
class PredictorAxes {
 public:
  /// @param moments  of K predictions and, last, the truth    @param kept  the models that take part
  PredictorAxes(const Moments& moments, std::vector<Index> kept);
  Combination combination(double alpha) const;
  /// Rows of U [rows, r] and the centred truth [rows, 1] for one target's column of the K + 1 variables.
  MatrixD left_vectors(const std::vector<MatrixD>& variables, Index target) const;
  VectorD centred_truth(const std::vector<MatrixD>& variables, Index target) const;

  const VectorD& values() const noexcept { return values_; }          ///< [r]
  const MatrixD& projection() const noexcept { return projection_; }  ///< [r, 1]
  Index rows_global() const noexcept { return rows_global_; }

 private:
  std::vector<Index> kept_;
  Index rows_global_;
  VectorD mean_;  ///< [K + 1]
  VectorD values_;
  MatrixD basis_;  ///< [kept, r], V Λ^-½
  MatrixD projection_;
};

/// Squared leave-one-row-out residuals of such a regression, for every alpha.   Collective: no.
class PredictorLeaveOneOut {
 public:
  PredictorLeaveOneOut(PredictorAxes axes, const std::vector<double>& alphas)
      : axes_(std::move(axes)), left_out_(axes_.values(), axes_.projection(), alphas, axes_.rows_global()) {}
  void add(const std::vector<MatrixD>& variables, Index target) {
    left_out_.add(axes_.left_vectors(variables, target), axes_.centred_truth(variables, target));
  }
  const MatrixD& sums() noexcept { return left_out_.sums(); }  ///< [A, 1]

 private:
  PredictorAxes axes_;
  LeaveOneOut left_out_;
};

}  // namespace cinecortex::encoding
