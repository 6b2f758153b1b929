#pragma once
#include <string>
#include <vector>

#include "cinecortex/encoding/block_source.hpp"
#include "cinecortex/parallel/communicator.hpp"

namespace cinecortex::encoding {

struct RidgeOptions {
  std::vector<double> alphas;      ///< in the order given
  std::string criterion = "loo";   ///< see ridge_criteria()
  bool per_target = true;          ///< one alpha a target; otherwise one for all (least mean error)
};

/// The criteria there are, e.g. "loo", "gcv", for messages and help.
std::vector<std::string> ridge_criteria();

/// @throws InputError: no alpha, negative or non-finite alpha, unknown criterion.
void check(const RidgeOptions& options);

/// This rank's targets of a fit; ranks own contiguous blocks in rank order, some possibly empty.
struct RidgeFit {
  Range targets_local;      ///< partition(t, size, rank)
  Index targets_global = 0;
  Index rows = 0;           ///< n
  VectorD alpha;            ///< [t_local] chosen
  MatrixD cv;               ///< [A, t_local] the criterion: mean squared left-out residual (loo, gcv), …
  MatrixD weights;          ///< [p, t_local] on raw columns: ŷ = x·weights + intercept
  VectorD intercept;        ///< [t_local]
  Index edge_low = 0;       ///< targets (all ranks) whose alpha is the grid's smallest; 0 for a grid of one
  Index edge_high = 0;      ///< … largest
  std::string form;         ///< "primal" or "dual"
};

/// Ridge regression with an unpenalised intercept, every alpha from one eigendecomposition, exact leave-one-out.
/// Source: mathematics §1–3.
/// @param x  blocks of design rows, p columns    @param y  the same blocks and rows, t targets
/// @throws InputError if x and y differ in blocks or rows (names the block); NumericalError.
/// Collective: over comm; the result does not depend on the number of ranks beyond rounding.
RidgeFit fit_ridge(const BlockSource& x, const BlockSource& y, const RidgeOptions& options,
                   const parallel::Communicator& comm);

}  // namespace cinecortex::encoding
