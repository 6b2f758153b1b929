#pragma once
#include <algorithm>
#include <vector>

#include "leverages.hpp"

namespace cinecortex::encoding {

/// Leave-one-out errors of a block of targets at every alpha.
struct LeaveOneOutCurve {
  MatrixD mse;       ///< [A, t_owned] mean squared left-out residual
  double bound = 0;  ///< certified: no value is further from the exact one, relative to it (rounding apart)
  double products = 0;   ///< with U that a target needed instead of A, mean over targets
  Index exact_rows = 0;  ///< rows of high leverage, computed alpha by alpha in float64
};

/// Rows of high leverage that are collected before their residuals are made, for `targets` of a grid column.
constexpr Index hard_rows_at_once(Index targets) {
  constexpr Index most_numbers = Index{2} << 20;
  return std::clamp<Index>(most_numbers / std::max<Index>(targets, 1), 16, 256);
}

/// @pre leverages.dealt_alike(problem)
/// Source: mathematics §3.   Collective: over the problem's communicator.
LeaveOneOutCurve leave_one_out(const RidgeProblem& problem, const SpectralForm& form,
                               const Leverages& leverages, const ProjectedTargets& targets,
                               const std::vector<double>& alphas);

}  // namespace cinecortex::encoding
