#pragma once
#include <span>

#include "cinecortex/core/types.hpp"

/// Small tools that the statistics share.   Collective: no, all of them.
namespace cinecortex::encoding {

/// Means of the columns, exact for constant ones: the first row plus the mean distance from it.
/// @pre at least one row
VectorD column_means(const ConstViewD& values);

/// Every row less `shift`, in the rows' own precision.
template <class Scalar>
void subtract_from_rows(Matrix<Scalar>& rows, const VectorD& shift) {
  const Eigen::Matrix<Scalar, 1, Eigen::Dynamic> by = shift.transpose().template cast<Scalar>();
  for (Index i = 0; i < rows.rows(); ++i) rows.row(i) -= by;
}

/// Adds the columns' sums, and their sums of squares, in float64. Row by row, as they lie in memory.
template <class Rows>
void add_column_sums(const Rows& rows, VectorD& sums) {
  for (Index i = 0; i < rows.rows(); ++i) {
    const auto* values = rows.row(i).data();
    for (Index j = 0; j < rows.cols(); ++j) sums[j] += static_cast<double>(values[j]);
  }
}
template <class Rows>
void add_column_sums(const Rows& rows, VectorD& sums, VectorD& squares) {
  for (Index i = 0; i < rows.rows(); ++i) {
    const auto* values = rows.row(i).data();
    for (Index j = 0; j < rows.cols(); ++j) {
      const auto value = static_cast<double>(values[j]);
      sums[j] += value;
      squares[j] += value * value;
    }
  }
}

/// How many of a Gram matrix's ascending eigenvalues count: those above λ_max · max(n, p) · eps, and at most
/// n - 1.
Index numerical_rank(const VectorD& ascending, Index rows, Index columns);

/// A matrix or vector as the numbers a reduction works on.
template <class Dense>
std::span<double> numbers(Dense& values) {
  return {values.data(), static_cast<std::size_t>(values.size())};
}

}  // namespace cinecortex::encoding
