#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "cinecortex/encoding/block_source.hpp"
#include "cinecortex/encoding/lagged_statistics.hpp"
#include "cinecortex/parallel/communicator.hpp"

namespace cinecortex::encoding {

/// The grid of method §6, largest first.
std::vector<double> default_alphas();

struct RidgeOptions {
  std::vector<double> alphas;     ///< in the order given
  std::string criterion = "loo";  ///< see ridge_criteria()
  bool per_target = true;         ///< one alpha a target; otherwise one for all (best mean over targets)
  std::string measure = "r2";     ///< what folds are compared by: r2, or r (Pearson)
  std::vector<Index> season_of;   ///< leave-one-season-out: the season (or movie) of each block
};

/// How an alpha is chosen, for messages and help:
/// - loo: exact leave-one-row-out, mean squared residual. Where leaving a row out makes the fit
/// rank-deficient
///   (leverage 1: n ≤ rank + 1, or a column that only one row uses), alpha = 0 means the limit alpha → 0,
///   which is the minimum-norm fit; the residual is finite always.
/// - gcv: generalised cross-validation SSE/n / (1 - df/n)², which is not leave-one-out; same limit.
/// - leave-one-run-out, leave-one-group-out (the same): exact, whole blocks left out, mean squared residual.
/// - kfold:K: contiguous folds, of whole blocks where there are several, of rows where there is one; an
///   intercept a fold; the highest mean over folds of R² (a fold whose target is constant counts as in
///   scikit-learn: 1 if predicted without error, else 0) or of Pearson r (`measure`).
/// - leave-one-season-out: likewise, with the folds of `season_of`.
/// Alphas that tie within 1e-12 (relative) give way to the largest of them, so a constant target gets the
/// largest alpha of the grid.
std::vector<std::string> ridge_criteria();
/// K of the criterion "kfold:K"; 0 of every other.   @throws InputError: unknown criterion, K < 2.   Collective: no.
Index kfold_count(const std::string& criterion);
/// Folds of the criterion, each of which is decomposed by itself; 1 if it has none.   @throws as kfold_count.   Collective: no.
Index fold_count(const RidgeOptions& options);
/// Whether each block is left out as a whole, by a system of its size.   @throws as kfold_count.   Collective: no.
bool leaves_blocks_out(const std::string& criterion);

/// @throws InputError: no alpha, negative or non-finite alpha, unknown criterion, fewer than two folds.
void check(const RidgeOptions& options);

/// This rank's targets of a fit; ranks own contiguous blocks in rank order, some possibly empty.
struct RidgeFit {
  Range targets_local;  ///< partition(t, size, rank)
  Index targets_global = 0;
  Index rows = 0;       ///< n
  VectorD alpha;        ///< [t_local] chosen
  MatrixD cv;           ///< [A, t_local] the criterion, rows as the alphas
  std::string cv_name;  ///< what cv is: "cv_mse" (left-out residuals), "cv_gcv", "cv_r2" or "cv_r" (folds)
  MatrixD weights;      ///< [p, t_local] on raw columns: ŷ = x·weights + intercept
  VectorD intercept;    ///< [t_local]
  std::string form;     ///< "primal" or "dual"
  double cv_error_bound =
      0;                 ///< loo: certified bound of cv's relative error, rounding apart (mathematics §3)
  double passes = 0;     ///< loo: products with the rows that a target needed (mean over targets), at most A
  Index exact_rows = 0;  ///< loo: rows of high leverage, computed alpha by alpha
};

/// Targets whose alpha is the grid's smallest, and largest: the best one may lie beyond. 0 for a grid of one.
struct EdgeHits {
  Index low = 0, high = 0;
};
/// @param chosen  [A] how many targets chose each alpha    Collective: no.
EdgeHits edge_hits(const std::vector<double>& alphas, const std::vector<std::int64_t>& chosen);

/// How much memory a fit may take; nothing here changes a result.
struct RidgeBudget {
  Index targets_at_once = 0;  ///< over all ranks; 0: all
  Index cache_bytes =
      Index{512} << 20;  ///< a rank may keep so much of U between passes, or fit folds side by side in it
};

/// Sizes that the memory of a fit depends on.
struct RidgeShape {
  Index rows = 0, columns = 0, targets = 0;  ///< n, p, t
  Index alphas = 15;
  Index folds = 1;       ///< of criteria by folds; 1 for the others
  Index block_rows = 0;  ///< of the largest block
  Index edge_rows =
      0;  ///< of all runs, whose windows reach beyond their run: edge_rows() of lagged_statistics.hpp
  Index components = 0;  ///< k, where there are edge rows
  Index ranks = 1;
  bool leaves_blocks_out = false;  ///< of the criterion: leaves_blocks_out()
  bool single = true;              ///< data of single precision
};

/// Operations of a fit, of all ranks together (docs/performance.md, the cost model).
struct RidgeOperations {
  double row_products = 0;              ///< with the rows, in the precision of the data
  double axis_products = 0;             ///< projections and weights, float64
  Index decompositions = 1, order = 0;  ///< of how many matrices, [order, order], float64
  double total() const;
};
RidgeOperations ridge_operations(const RidgeShape& shape);

/// Most bytes that a rank holds during a fit, beside what it held before.   Collective: no.
double ridge_bytes(const RidgeShape& shape, const RidgeBudget& budget);

/// The most targets at a time, and the largest cache, that keep a rank within `bytes`.
/// @throws InputError if even the smallest block of targets needs more: says how much.   Collective: no.
RidgeBudget ridge_budget(const RidgeShape& shape, double bytes);

/// Sums over a fit's rows from elsewhere: kept by an earlier fit, or accumulated in a way that they can be kept.
class RidgeSums {
 public:
  virtual ~RidgeSums() = default;
  /// @param fold_of  [blocks of x] fold of each block, 0 … folds - 1; of any value for blocks without rows
  /// @param targets  columns of y
  /// @return for each fold the sums of the fit's design, of partition(targets.size(), size, rank) of these targets;
  ///         gram is empty unless wanted; none at all where these folds cannot be served, which is the same on every
  ///         rank: then the rows are read
  /// Collective: over the fit's communicator.
  virtual std::vector<Statistics> of_folds(const std::vector<Index>& fold_of, Index folds, Range targets,
                                           LaggedStatistics::Wanted wanted) = 0;
};

/// Ridge regression with an unpenalised intercept, every alpha from one eigendecomposition, exact
/// leave-one-out. Directions whose eigenvalue is below λ_max · max(n, p) · eps stay out of the fit for every
/// alpha; alpha = 0 is ordinary least squares, of minimum norm where that is not unique.
/// Single-precision sources (x and y) are multiplied in float32 and added up in float64, unless x has directions
/// too small for that; others in float64. Memory per rank O(p² + p·t_local) and two blocks of x and y; x is read
/// twice (primal) or three times, blocks whole. A LaggedSource is summed by its lag structure.
/// Source: mathematics §1–4.
/// @param x  blocks of design rows, p columns    @param y  the same blocks and rows, t targets
/// @throws InputError if x and y differ in blocks or rows (names the block), if there are fewer than two rows
/// or
///         no column, or fewer blocks than the criterion needs; StageError where a rank's data fail.
/// Collective: over comm; the result does not depend on the number of ranks beyond rounding.
RidgeFit fit_ridge(const BlockSource& x, const BlockSource& y, const RidgeOptions& options,
                   const parallel::Communicator& comm);

/// The same, some targets at a time: `take` gets the fits of [0, t) in order, on every rank together, each with this
/// rank's part of its targets (possibly none). One alpha for all targets costs a second round.
/// @param sums  where a primal fit's sums come from, instead of the rows; may be null
/// Collective: over comm.
void fit_ridge(const BlockSource& x, const BlockSource& y, const RidgeOptions& options,
               const RidgeBudget& budget, const parallel::Communicator& comm,
               const std::function<void(RidgeFit)>& take, RidgeSums* sums = nullptr);

}  // namespace cinecortex::encoding
