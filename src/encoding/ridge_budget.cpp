#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cinecortex/core/memory.hpp"
#include "cinecortex/core/progress.hpp"
#include "cinecortex/encoding/lagged_statistics.hpp"
#include "cinecortex/encoding/ridge.hpp"
#include "cinecortex/linalg/dense.hpp"
#include "cinecortex/parallel/grid.hpp"
#include "decompose_each.hpp"
#include "leave_one_out.hpp"
#include "residual_squares.hpp"

namespace cinecortex::encoding {
namespace {

constexpr double small_parts =
    48.0 * (1 << 20);  ///< buffers of BLAS, MPI and HDF5; tiles of the residual pass

/// Bytes that do not depend on the targets: G, its eigenvectors with LAPACK's workspace, axes, leverages.
double design_bytes(const RidgeShape& s) {
  const auto n = static_cast<double>(s.rows), p = static_cast<double>(s.columns);
  const auto folds = static_cast<double>(s.folds);
  const bool primal = s.columns <= s.rows;
  const double size = primal ? p : n;
  const double panel = primal ? 0.0 : 8.0 * n * p / static_cast<double>(s.ranks);
  // A fold's eigenvectors and G are kept; while one is scored, G turned into them and its parts by alphas come on top.
  const double of_folds = s.folds > 1 ? (folds * 16.0 + 30.0) * size * size : 0.0;
  return 44.0 * size * size + panel + of_folds + 8.0 * n * static_cast<double>(s.alphas);
}

/// Systems of a block that is left out: one for each alpha that is solved, or some and their eigenvectors.
double block_systems(const RidgeShape& s) {
  if (!s.leaves_blocks_out) return 0;
  const double number = s.single ? 4.0 : 8.0, square = std::pow(static_cast<double>(s.block_rows), 2);
  return square * std::max(number * static_cast<double>(s.alphas + 2), 64.0);
}

/// Rows of high leverage that are left out exactly: their rows of x, of U, and of U's squares, and responses.
double hard_rows(const RidgeShape& s, double directions, double column) {
  if (s.folds > 1 || s.leaves_blocks_out) return 0;
  const Index count = std::min(hard_rows_at_once(static_cast<Index>(column)), s.rows);
  return 8.0 * static_cast<double>(count) * (2.0 * directions + static_cast<double>(s.columns) + column);
}

/// Ranks that share a target, each with other runs.
Index run_parts(const RidgeShape& s, double targets_at_once) {
  return parallel::run_parts(static_cast<int>(s.ranks), static_cast<Index>(targets_at_once));
}

double bytes_with(const RidgeShape& s, double targets_at_once, double cache) {
  const auto p = static_cast<double>(std::min(s.columns, s.rows));
  const auto ranks = static_cast<double>(s.ranks);
  const double owned = targets_at_once / ranks;
  const double column = owned * static_cast<double>(run_parts(s, targets_at_once));
  const auto folds = static_cast<double>(s.folds);
  const double sums = (12.0 * column + 16.0 * owned) * p * folds +
                      edge_bytes(s.edge_rows, s.components, column, run_parts(s, targets_at_once));
  // Weights of a dual fit have more columns than it has directions.
  const double dual_weights =
      s.columns > s.rows ? 8.0 * (column + owned) * static_cast<double>(s.columns) : 0.0;
  const double solve =
      (24.0 * owned + 16.0 * column) * p + dual_weights + (s.folds > 1 ? 8.0 * owned * p * (folds + 4) : 0.0);
  const double number = s.single ? 4.0 : 8.0;
  const double rows = number * static_cast<double>(3 * s.block_rows + rows_together) *
                      (static_cast<double>(s.columns) + std::max<double>(column, targets_of_a_strip));
  return small_parts + design_bytes(s) + cache + std::max(sums, solve) + rows + block_systems(s) +
         hard_rows(s, p, column);
}

}  // namespace

double RidgeOperations::total() const {
  return row_products + axis_products + static_cast<double>(decompositions) * linalg::eigh_operations(order);
}

RidgeOperations ridge_operations(const RidgeShape& shape) {
  const auto n = static_cast<double>(shape.rows), p = static_cast<double>(shape.columns),
             t = static_cast<double>(shape.targets);
  const double sums = n * p * p + 2 * n * p * t;
  const Index order = std::min(shape.rows, shape.columns);
  if (shape.folds > 1) {
    // Each fold: both projections and at most two products for the scores of all alphas; in float32 they count half.
    const Index fits = shape.folds + 1;
    return {.row_products = sums,
            .axis_products = static_cast<double>(fits) * 4 * p * p * t,
            .decompositions = fits,
            .order = order};
  }
  constexpr double products_a_target = 6;  // stand for those of all alphas
  const double terms = std::min(products_a_target, static_cast<double>(shape.alphas));
  return {.row_products = sums + 2 * n * p * p + 2 * n * p * t * terms,
          .axis_products = 4 * p * p * t,
          .decompositions = 1,
          .order = order};
}

double ridge_bytes(const RidgeShape& shape, const RidgeBudget& budget) {
  const Index at_once =
      budget.targets_at_once > 0 ? std::min(budget.targets_at_once, shape.targets) : shape.targets;
  const Index parts = run_parts(shape, static_cast<double>(at_once));
  const Index size = std::min(shape.rows, shape.columns);
  double cache = static_cast<double>(shape.rows) * static_cast<double>(size) * (shape.single ? 4.0 : 8.0) /
                 static_cast<double>(parts);
  if (shape.folds > 1) {  // so many fits side by side, or fewer
    const Index targets = (at_once * parts + shape.ranks - 1) / shape.ranks;
    cache = std::max(cache, static_cast<double>(shape.folds) * fit_bytes(size, targets));
  }
  return bytes_with(shape, static_cast<double>(at_once),
                    std::min(cache, static_cast<double>(budget.cache_bytes)));
}

RidgeBudget ridge_budget(const RidgeShape& shape, double bytes) {
  const Index least = std::min<Index>(shape.targets, 64 * shape.ranks);
  RidgeBudget budget{.targets_at_once = 0, .cache_bytes = 0};
  const double needed = bytes_with(shape, static_cast<double>(least), 0);
  if (needed > bytes) {
    throw InputError(fmt::format(
        "ridge of {} rows × {} columns: a rank needs at least {} beside the {} that it holds now, but {} "
        "is left of its memory; give more (--memory), fewer ranks a node, or fewer columns "
        "(components, delays)",
        shape.rows, shape.columns, format_bytes(needed), format_bytes(static_cast<double>(resident_bytes())),
        format_bytes(std::max(bytes, 0.0))));
  }
  Index low = least, high = shape.targets;
  while (low < high) {
    const Index middle = low + (high - low + 1) / 2;
    if (bytes_with(shape, static_cast<double>(middle), 0) <= bytes) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  budget.targets_at_once = low;
  constexpr double most_cache = 4.0 * (1 << 30);
  budget.cache_bytes =
      static_cast<Index>(std::min(most_cache, bytes - bytes_with(shape, static_cast<double>(low), 0)));
  return budget;
}

}  // namespace cinecortex::encoding
