#pragma once
#include "cinecortex/core/types.hpp"

namespace cinecortex::encoding {

constexpr Index targets_of_a_strip = 32;  ///< that are summed side by side, in registers

/// Squares of residuals that are combinations of terms, without ever making the residuals: for each target v of a strip
/// sums(a, v) += Σ_i (weights(i, a) · (y(i, v) - Σ_q coefficients(a, q) · p_q(i, v)))².
/// Sums are in float64; those of 32 rows are made in the terms' own precision.
/// @param terms  [n, R · width] p_q of `width` targets, side by side    @param first  of the strip, in each of them
/// @param y      [n, strip]
/// @param weights  [n, A]    @param coefficients  [A, R]    @param sums  [A, strip]
/// Bound by the processor's multiplications: A (R + 2) for a row and target.   Collective: no.
void add_residual_squares(const ConstViewF& terms, Index width, Index first, const ConstViewF& y,
                          const ConstViewF& weights, const ConstViewF& coefficients, MatrixD& sums);
void add_residual_squares(const ConstViewD& terms, Index width, Index first, const ConstViewD& y,
                          const ConstViewD& weights, const ConstViewD& coefficients, MatrixD& sums);

}  // namespace cinecortex::encoding
