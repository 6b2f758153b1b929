#pragma once
#include "cinecortex/core/types.hpp"

namespace cinecortex::encoding {

/// sums(q · terms on the right + s, v) += Σ_i left_q(i, v) · right_s(i, v): for each target v, the products of every term
/// on the left with every one on the right. The terms' matrices [rows, width] lie side by side in `left` and `right`.
/// Sums are in float64; those of 32 rows are made in the terms' own precision.
/// @param sums  [terms on the left · terms on the right, width]    @pre width is a multiple of 16.   Collective: no.
void add_pair_products(const ConstViewF& left, const ConstViewF& right, MatrixD& sums);
void add_pair_products(const ConstViewD& left, const ConstViewD& right, MatrixD& sums);

}  // namespace cinecortex::encoding
