#pragma once
#include <span>

#include "cinecortex/core/types.hpp"

/// Small tools that the statistics share.   Collective: no, all of them.
namespace cinecortex::encoding {

/// Means of the columns, exact for constant ones: the first row plus the mean distance from it.
/// @pre at least one row
VectorD column_means(const ConstViewD& values);

/// How many of a Gram matrix's ascending eigenvalues count: those above λ_max · max(n, p) · eps, and at most
/// n - 1.
Index numerical_rank(const VectorD& ascending, Index rows, Index columns);

/// A matrix or vector as the numbers a reduction works on.
template <class Dense>
std::span<double> numbers(Dense& values) {
  return {values.data(), static_cast<std::size_t>(values.size())};
}

}  // namespace cinecortex::encoding
