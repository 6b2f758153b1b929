#pragma once
#include <vector>

#include "cinecortex/core/types.hpp"

namespace cinecortex::encoding {

/// The shrinkages λ/(λ+α) of all alphas as combinations of those at a few of them, the nodes, whatever λ is in a range:
///   λ/(λ+α_a) = Σ_q coefficients(q, a) λ/(λ+α_nodes[q]) + δ_a(λ),   |δ| ≤ error.
/// So what is known of fits at the nodes gives those at all alphas, even where the eigenvalues are not known.
/// Source: mathematics §4.   Collective: no.
struct AlphaNodes {
  std::vector<Index> nodes;  ///< which of the alphas
  MatrixD coefficients;      ///< [R, A]
  double error = 0;

  /// As few nodes as reach the tolerance; all alphas if fewer do not.
  /// @pre 0 < lowest ≤ highest
  AlphaNodes(const std::vector<double>& alphas, double lowest, double highest, double tolerance);
};

}  // namespace cinecortex::encoding
