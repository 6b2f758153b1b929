#pragma once
#include <Eigen/Core>
#include <algorithm>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "cinecortex/core/error.hpp"

namespace cinecortex {

using Index = Eigen::Index;  ///< 64-bit signed, for every size and position

/// Rows are TRs (time), columns are features or targets. Row-major, as in NumPy and HDF5.
template <class Scalar>
using Matrix = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using MatrixF = Matrix<float>;
using MatrixD = Matrix<double>;
using VectorD = Eigen::VectorXd;

/// A view of rows that lie one after the other in memory with any row stride.
template <class Scalar>
using ConstView = Eigen::Ref<const Matrix<Scalar>, 0, Eigen::OuterStride<>>;
template <class Scalar>
using View = Eigen::Ref<Matrix<Scalar>, 0, Eigen::OuterStride<>>;
using ConstViewF = ConstView<float>;
using ConstViewD = ConstView<double>;
using ViewF = View<float>;
using ViewD = View<double>;

/// Whether no number is NaN or infinite. Eigen's allFinite does not vectorise and costs as much as reading.
template <class Dense>
bool all_finite(const Dense& values) {
  using Scalar = typename Dense::Scalar;
  return values.size() == 0 || (values.array() * Scalar{0}).sum() == Scalar{0};  // 0 · NaN and 0 · ∞ are NaN
}

/// Half-open [begin, end).
struct Range {
  Index begin = 0;
  Index end = 0;
  Index size() const noexcept { return end - begin; }
  bool empty() const noexcept { return end <= begin; }
  bool operator==(const Range&) const = default;
};

/// Part `part` of `total` things dealt to `parts`: contiguous, sizes differ by at most one.
inline Range partition(Index total, Index parts, Index part) {
  const Index base = total / parts;
  const Index extra = total % parts;
  const Index begin = part * base + std::min(part, extra);
  return {begin, begin + base + (part < extra ? 1 : 0)};
}

/// A narrowing cast that throws instead of wrapping: used only at the borders to MPI and Fortran.
template <class To, class From>
To checked_cast(From value) {
  static_assert(std::is_integral_v<To> && std::is_integral_v<From>);
  if (!std::in_range<To>(value)) {
    throw Error("internal: the number " + std::to_string(value) + " does not fit a " +
                std::to_string(sizeof(To) * 8) + "-bit integer");
  }
  return static_cast<To>(value);
}

}  // namespace cinecortex
