#pragma once
#include "spectral_form.hpp"

namespace cinecortex::encoding {

/// Rows of every block that belong to one fold: whole blocks where several have rows, a contiguous part of
/// the rows where one has.
using Fold = std::vector<Range>;

/// @throws InputError if there are fewer blocks, or rows for two in each fold, than folds.   Collective: no.
std::vector<Fold> contiguous_folds(const RidgeProblem& problem, Index count);

/// Mean over folds of R² on the rows left out, [A, t_col], every fold decomposed again with its own means.
/// All in the axes of `form` (r instead of p columns), where the whole data's Gram matrix is diagonal and a
/// fold's share is subtracted from it. Source: mathematics §4. Collective: over the problem's communicator;
/// the same on all ranks of a grid column.
MatrixD k_fold_r2(const RidgeProblem& problem, const SpectralForm& form, const std::vector<double>& alphas,
                  const std::vector<Fold>& folds);

}  // namespace cinecortex::encoding
