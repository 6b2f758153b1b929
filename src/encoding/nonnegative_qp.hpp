#pragma once
#include "cinecortex/core/types.hpp"

namespace cinecortex::encoding {

/// Minimises ½ wᵀHw over w ≥ 0, Σw = 1. Exact: an active-set method, whose result is checked against the
/// Karush-Kuhn-Tucker conditions. Of several minimisers the one of least norm (equal models share equally).
/// @param h  [K, K] symmetric positive semi-definite, K ≥ 1
/// @throws NumericalError where stationarity is off by more than 1e-10 relative.   Collective: no.
VectorD minimise_on_simplex(const MatrixD& h);

/// Minimises ½ wᵀHw - cᵀw over w ≥ 0, likewise. @pre c lies in the range of H, as in least squares.
VectorD minimise_nonnegative(const MatrixD& h, const VectorD& c);

}  // namespace cinecortex::encoding
