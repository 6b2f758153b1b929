#pragma once
#include <string>
#include <vector>

#include "cinecortex/encoding/block_source.hpp"
#include "cinecortex/parallel/communicator.hpp"

namespace cinecortex::encoding {

/// The grid of method §6, largest first.
std::vector<double> default_alphas();

struct RidgeOptions {
  std::vector<double> alphas;     ///< in the order given
  std::string criterion = "loo";  ///< see ridge_criteria()
  bool per_target = true;         ///< one alpha a target; otherwise one for all (best mean over targets)
};

/// How an alpha is chosen, for messages and help:
/// - loo: exact leave-one-row-out, mean squared residual. Where leaving a row out makes the fit
/// rank-deficient
///   (leverage 1: n ≤ rank + 1, or a column that only one row uses), alpha = 0 means the limit alpha → 0,
///   which is the minimum-norm fit; the residual is finite always.
/// - gcv: generalised cross-validation SSE/n / (1 - df/n)², which is not leave-one-out; same limit.
/// - leave-one-run-out, leave-one-group-out (the same): exact, whole blocks left out, mean squared residual.
/// - kfold:K: contiguous folds, of whole blocks where there are several, of rows where there is one; an
///   intercept a fold; the highest mean R² over folds (a fold whose target is constant counts as in
///   scikit-learn: 1 if predicted without error, else 0).
/// Alphas that tie within 1e-12 (relative) give way to the largest of them, so a constant target gets the
/// largest alpha of the grid.
std::vector<std::string> ridge_criteria();

/// @throws InputError: no alpha, negative or non-finite alpha, unknown criterion, fewer than two folds.
void check(const RidgeOptions& options);

/// This rank's targets of a fit; ranks own contiguous blocks in rank order, some possibly empty.
struct RidgeFit {
  Range targets_local;  ///< partition(t, size, rank)
  Index targets_global = 0;
  Index rows = 0;       ///< n
  VectorD alpha;        ///< [t_local] chosen
  MatrixD cv;           ///< [A, t_local] the criterion, rows as the alphas
  std::string cv_name;  ///< what cv is: "cv_mse" (left-out residuals), "cv_gcv", "cv_r2" (kfold)
  MatrixD weights;      ///< [p, t_local] on raw columns: ŷ = x·weights + intercept
  VectorD intercept;    ///< [t_local]
  Index edge_low = 0;   ///< targets (all ranks) whose alpha is the grid's smallest; 0 for a grid of one
  Index edge_high = 0;  ///< … largest
  std::string form;     ///< "primal" or "dual"
};

/// Ridge regression with an unpenalised intercept, every alpha from one eigendecomposition, exact
/// leave-one-out. Directions whose eigenvalue is below λ_max · max(n, p) · eps stay out of the fit for every
/// alpha; alpha = 0 is ordinary least squares, of minimum norm where that is not unique. Memory per rank O(p²
/// + p·t_local) and one block of x and y; x is read twice (primal) or three times, blocks whole. Source:
/// mathematics §1–4.
/// @param x  blocks of design rows, p columns    @param y  the same blocks and rows, t targets
/// @throws InputError if x and y differ in blocks or rows (names the block), if there are fewer than two rows
/// or
///         no column, or fewer blocks than the criterion needs; StageError where a rank's data fail.
/// Collective: over comm; the result does not depend on the number of ranks beyond rounding.
RidgeFit fit_ridge(const BlockSource& x, const BlockSource& y, const RidgeOptions& options,
                   const parallel::Communicator& comm);

}  // namespace cinecortex::encoding
