#pragma once
#include <fmt/format.h>

#include <cmath>
#include <cstddef>
#include <limits>
#include <string>

#include "cinecortex/io/hdf5.hpp"

/// From the caller's numbers to the stored ones.   Collective: no.
namespace cinecortex::io::h5 {

/// The largest magnitude a finite number may have to stay one in `To`, in units of `From`.
template <class To>
constexpr double largest() {
  if constexpr (std::is_same_v<To, Eigen::half>) return 65504.0;
  if constexpr (std::is_same_v<To, std::int64_t>) return 9007199254740992.0;  // beyond, doubles skip integers
  return static_cast<double>(std::numeric_limits<To>::max());
}

template <class To, class From>
void check_fits(const ConstView<From>& block, const std::string& what, Index row, Index column) {
  for (Index r = 0; r < block.rows(); ++r) {
    for (Index c = 0; c < block.cols(); ++c) {
      const double value = static_cast<double>(block(r, c));
      const bool number = std::isfinite(value);
      const bool fits = std::is_same_v<To, std::int64_t>
                            ? number && value == std::nearbyint(value) && std::abs(value) <= largest<To>()
                            : !number || std::abs(value) <= largest<To>();
      if (!fits) {
        throw InputError(fmt::format(
            "{}: the value {} at row {}, column {} does not fit {}", what, value, row + r, column + c,
            std::is_same_v<To, Eigen::half>    ? "float16 (at most 65504); store float32"
            : std::is_same_v<To, std::int64_t> ? "a 64-bit integer"
                                               : "float32"));
      }
    }
  }
}

template <class To, class From>
void convert(const ConstView<From>& block, std::byte* buffer) {
  Eigen::Map<Matrix<To>>(reinterpret_cast<To*>(buffer), block.rows(), block.cols()) =
      block.template cast<To>();
}

/// fn(To{}) for the C++ type of a stored type.
template <class Fn>
void with_type(Stored type, Fn&& fn) {
  switch (type) {
    case Stored::float16:
      return fn(Eigen::half{});
    case Stored::float32:
      return fn(float{});
    case Stored::float64:
      return fn(double{});
    case Stored::int64:
      return fn(std::int64_t{});
    case Stored::other:
      break;
  }
  throw Error("internal: an HDF5 type that cannot be written was asked for");
}

}  // namespace cinecortex::io::h5
