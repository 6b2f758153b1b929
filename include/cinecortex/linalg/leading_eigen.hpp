#pragma once
#include <cstdint>
#include <functional>

#include "cinecortex/core/types.hpp"
#include "cinecortex/parallel/communicator.hpp"

namespace cinecortex::linalg {

/// What a symmetric positive semi-definite matrix S [n, n] does to vectors.
/// @param vectors  [b, n], a vector a row, the same on every rank
/// @return this rank's columns, partition(n, ranks, rank), of vectors · S.   Collective: over the solver's comm.
using SymmetricProduct = std::function<MatrixD(const MatrixD& vectors)>;

struct LeadingOptions {
  Index count = 0;          ///< k ≤ n
  double tolerance = 1e-8;  ///< wanted: every ‖S v - λ v‖ ≤ tolerance · λ_1
  /// Residuals below this may be no more than the product's own rounding: there it also ends when a restart makes
  /// them hardly smaller.
  double rounding = 0;
  Index block = 64;  ///< vectors a product
  Index basis = 0;   ///< vectors held at most; raised to what the method needs
  /// Share of the basis beyond `count` that a restart keeps: more need fewer products, fewer need fewer restarts, each of which
  /// decomposes a matrix of the basis' size.
  double kept = 0.5;
  Index most_products = 0;  ///< vectors multiplied at most before it gives up (converged: false)
  std::uint64_t seed = 0;   ///< of the start
};

/// The same on every rank.
struct LeadingPairs {
  VectorD values;         ///< [k] descending
  MatrixD vectors;        ///< [k, n] orthonormal rows
  double residual = 0;    ///< estimate of max ‖S v - λ v‖ / λ_1
  Index products = 0;     ///< vectors multiplied
  bool converged = true;  ///< residual ≤ tolerance, or down to the product's rounding
};

/// The k largest eigenpairs by a block Krylov method with thick restarts (block Lanczos with full
/// reorthogonalisation and Rayleigh–Ritz; Wu and Simon 2000, Baglama, Calvetti and Reichel 2003). The start is
/// random but a function of (seed, row, column), so the result does not depend on the number of ranks beyond
/// rounding. Where the basis would fill the space S is formed and decomposed instead.
/// Memory a rank, in numbers: (basis + block) · n / ranks for the basis, k n for the result, 2 basis² and, on
/// rank 0, 4 basis² more; 8 n² where S is formed, most of it in its decomposition.
/// Bound by the product and, from some hundred vectors on, by gemm: 8 n · basis operations a vector.
/// Collective: over comm.
LeadingPairs leading_eigenpairs(Index n, const SymmetricProduct& product, const LeadingOptions& options,
                                const parallel::Communicator& comm);

/// The basis that is really held.
Index krylov_basis(Index n, const LeadingOptions& options);

}  // namespace cinecortex::linalg
