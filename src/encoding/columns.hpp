#pragma once
#include <algorithm>
#include <span>

#include "cinecortex/core/types.hpp"
#include "cinecortex/parallel/threads.hpp"

/// Small tools that the statistics share.   Collective: no, all of them.
namespace cinecortex::encoding {

/// Means of the columns, exact for constant ones: the first row plus the mean distance from it.
/// @pre at least one row
VectorD column_means(const ConstViewD& values);

/// fn(strip) for strips of `columns`, by several threads: wide enough to stream, narrow enough that sums stay in cache.
template <class Fn>
void for_each_strip(Index columns, Fn&& fn) {
  constexpr Index strip = 512;
  parallel::for_each_in_threads((columns + strip - 1) / strip, [&](Index i) {
    fn(Range{i * strip, std::min((i + 1) * strip, columns)});
  });
}

/// Every row less `shift`, in the rows' own precision. What that cannot hold of the shift is subtracted afterwards, so
/// that a mean far larger than the spread does not leave its rounding in every row.
template <class Scalar>
void subtract_from_rows(Matrix<Scalar>& rows, const VectorD& shift) {
  if ((shift.array() == 0).all()) return;
  using Row = Eigen::Matrix<Scalar, 1, Eigen::Dynamic>;
  const Row by = shift.transpose().template cast<Scalar>();
  const Row rest = (shift.transpose() - by.template cast<double>()).template cast<Scalar>();
  const bool held = (rest.array() == Scalar{0}).all();
  for_each_strip(rows.cols(), [&](Range some) {
    for (Index i = 0; i < rows.rows(); ++i) {
      auto row = rows.row(i).segment(some.begin, some.size());
      row -= by.segment(some.begin, some.size());
      if (!held) row -= rest.segment(some.begin, some.size());
    }
  });
}

/// Adds the columns' sums, and their sums of squares, in float64. Row by row, as they lie in memory.
template <class Rows>
void add_column_sums(const Rows& rows, VectorD& sums) {
  for_each_strip(rows.cols(), [&](Range some) {
    for (Index i = 0; i < rows.rows(); ++i) {
      const auto* values = rows.row(i).data();
      for (Index j = some.begin; j < some.end; ++j) sums[j] += static_cast<double>(values[j]);
    }
  });
}
template <class Rows>
void add_column_sums(const Rows& rows, VectorD& sums, VectorD& squares) {
  for_each_strip(rows.cols(), [&](Range some) {
    for (Index i = 0; i < rows.rows(); ++i) {
      const auto* values = rows.row(i).data();
      for (Index j = some.begin; j < some.end; ++j) {
        const auto value = static_cast<double>(values[j]);
        sums[j] += value;
        squares[j] += value * value;
      }
    }
  });
}

/// How many of a Gram matrix's ascending eigenvalues count: those above λ_max · max(n, p) · eps, and at most
/// n - 1.
Index numerical_rank(const VectorD& ascending, Index rows, Index columns);

/// Whether sums of float32 products resolve the smallest of `columns` directions: their rounding is some 1e-8 of the
/// largest.
/// @param values  the eigenvalues that count, in any order
bool resolved_by_single(const VectorD& values, Index columns);

/// A matrix or vector as the numbers a reduction works on.
template <class Dense>
std::span<typename Dense::Scalar> numbers(Dense& values) {
  return {values.data(), static_cast<std::size_t>(values.size())};
}

}  // namespace cinecortex::encoding
