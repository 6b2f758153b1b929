#pragma once
#include "cinecortex/core/types.hpp"

/// Cholesky factors of symmetric positive definite matrices, on this process's threads.   Collective: no.
namespace cinecortex::linalg {

/// Replaces the lower triangle of a [n, n] matrix by L, A = L Lᵀ; what is above the diagonal is neither read nor kept.
/// @return false if A is not positive definite; then the matrix is lost.   @pre A is finite
bool cholesky(ViewD lower);
bool cholesky(ViewF lower);

/// b [n, m] = A⁻¹ b, with L from cholesky().   @throws Error if the shapes do not fit.
void cholesky_solve(const ConstViewD& lower, ViewD b);
void cholesky_solve(const ConstViewF& lower, ViewF b);

}  // namespace cinecortex::linalg
