#pragma once
#include <optional>
#include <vector>

#include "alpha_nodes.hpp"
#include "leave_out.hpp"

namespace cinecortex::encoding {

/// Sums of squared residuals with whole groups of rows left out, (I - H_BB)⁻¹ e_B, without refitting.
/// Where the others can do without a group (no direction is nearly its own) its residuals at a few alphas give those at
/// all, to 1e-12 of what they are made of; otherwise there is one factorisation an alpha. Source: mathematics §4.
class LeaveOneGroupOut {
 public:
  /// As LeaveOneOut.
  LeaveOneGroupOut(const VectorD& values, const MatrixD& projection, const std::vector<double>& alphas,
                   Index rows_global);
  /// @param u  [rows, r] rows of U of one whole group, which is not all rows there are    @param y  [rows, t] centred
  void add(const MatrixD& u, const MatrixD& y);
  /// The same in float32, with which a nearly indispensable group cannot be left out.
  /// @return false if it is one: then nothing was added, and `add` is to be called.
  [[nodiscard]] bool add_single(const MatrixF& u, const MatrixF& y);
  MatrixD& sums() noexcept { return sums_; }  ///< [A, t]

 private:
  /// @param gap  least eigenvalue that D₀ must have
  template <class Scalar>
  bool add_by_nodes(const Matrix<Scalar>& u, const Matrix<Scalar>& y, double gap, double tolerance);
  void add_by_alphas(const MatrixD& u, const MatrixD& y);

  VectorD values_;
  MatrixD projection_;
  std::vector<double> alphas_;
  Index rows_global_;
  MatrixD sums_;
};

}  // namespace cinecortex::encoding
