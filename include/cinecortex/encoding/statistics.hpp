#pragma once
#include <span>
#include <vector>

#include "cinecortex/core/types.hpp"

namespace cinecortex::encoding {

/// The sums over rows that a regression needs: after them no row is read again. All sums are about a shift, a
/// first estimate of the means, so that means far from zero cost no digits.
/// Source: mathematics §1.   Collective: no, all of it.
struct Statistics {
  Index rows = 0;     ///< n
  VectorD shift_x;    ///< [p]
  VectorD shift_y;    ///< [t]
  VectorD sum_x;      ///< [p] Σ (x - shift_x)
  VectorD sum_y;      ///< [t] Σ (y - shift_y)
  VectorD squares_y;  ///< [t] Σ (y - shift_y)²
  MatrixD gram;       ///< [p, p] Σ (x - shift_x)(x - shift_x)ᵀ, both triangles
  MatrixD cross;      ///< [p, t] Σ (x - shift_x)(y - shift_y)ᵀ

  Index columns() const noexcept { return sum_x.size(); }  ///< p
  Index targets() const noexcept { return sum_y.size(); }  ///< t
};

/// Those of all the parts' rows, by several threads.
/// @throws Error if shapes or shifts differ, or there is no part.
Statistics sum_of(std::span<const Statistics> parts);

/// Sums of some rows and columns about the rows' own means: G̃ = XᵀX - n μ_x μ_xᵀ, C̃ = XᵀY - n μ_x μ_yᵀ. A view: they are
/// made from statistics when they are asked for, of which nothing is copied, and which outlive it.
class CentredStatistics {
 public:
  /// @pre there are rows
  CentredStatistics(const Statistics& all);  // NOLINT(google-explicit-constructor): all rows are rows
  CentredStatistics(const Statistics&& all) = delete;
  /// The rows of `all` that are not among those of `part`.
  /// @pre there are such rows    @throws Error if shapes or shifts differ.
  CentredStatistics(const Statistics& all, const Statistics& part);
  /// The same rows, only these columns of x, in this order.
  /// @throws Error if there are none.
  CentredStatistics select(std::vector<Index> columns) const;

  Index rows() const noexcept;                                ///< n
  Index columns() const noexcept { return rest_x_.size(); }   ///< p
  Index targets() const noexcept { return all_->targets(); }  ///< t
  VectorD mean_x() const;                                     ///< [p]
  VectorD mean_y(Range targets) const;
  /// ‖ỹ‖²; 0 where it is what rounding leaves of the squares about the shift.
  VectorD squares_y(Range targets) const;
  MatrixD gram() const;  ///< [p, p]
  /// [p, targets], subtracted in float64, times each target's factor.
  template <class Scalar>
  Matrix<Scalar> cross(Range targets, const VectorD& factors) const;
  MatrixD cross(Range targets) const { return cross<double>(targets, VectorD::Ones(targets.size())); }

 private:
  VectorD rest_y(Range targets) const;  ///< what the shift left of the mean
  const Statistics* all_;
  const Statistics* part_ = nullptr;
  std::vector<Index> columns_;  ///< none: all of them
  VectorD rest_x_;              ///< [p] what the shift left of the mean
};

}  // namespace cinecortex::encoding
