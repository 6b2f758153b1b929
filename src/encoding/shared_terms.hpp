#pragma once
#include <vector>

#include "alpha_family.hpp"
#include "leverages.hpp"

namespace cinecortex::encoding {

/// The squares' weights 1/(1-h)² over all rows that are not hard, middle ± spread: [A] each.
struct WeightRange {
  VectorD middle, spread;
  Index hard_rows = 0;
};

/// Collective: no.
WeightRange weight_range(const Leverages& leverages);

/// How alphas share terms for one grid column's targets, and how far the shared form can be off. Each target needs as
/// many terms as certify its own curve; they are taken in the order of that number, in tiles.
struct SharedTerms {
  AlphaFamily family;        ///< p_q = U (λ ∘ factors_q ∘ ŷ)
  std::vector<Index> order;  ///< [t_col] targets by the number of terms they need
  std::vector<Index> terms;  ///< [t_col] in this order: that of the tile's most demanding target
  MatrixD correction;        ///< [A, t_col] to add to the sums: the part of the error that is known
  double bound = 0;          ///< largest relative error left, over alphas and targets

  Index most() const { return terms.empty() ? 0 : terms.back(); }
};

/// Targets that are multiplied together, and so with as many terms as the most demanding of them needs.
constexpr Index targets_of_a_tile = 128;

/// The terms and how many of them each target needs: hardly more than certify `tolerance`. Ranks of a grid column add up
/// sums of their rows, so they take the first one's choice: what rounds otherwise on another processor must not choose
/// otherwise.
/// @param projection  ŷ [r, t_col]    @param squares_y  ‖ỹ‖² [t_col]
/// Source: mathematics §3.   Collective: over the problem's communicator.
SharedTerms choose_terms(const RidgeProblem& problem, const SpectralForm& form, const MatrixD& projection,
                         const VectorD& squares_y, const std::vector<double>& alphas,
                         const WeightRange& weights, double tolerance);

}  // namespace cinecortex::encoding
