#pragma once
#include <memory>
#include <string>
#include <vector>

#include "cinecortex/encoding/block_source.hpp"
#include "cinecortex/parallel/communicator.hpp"

namespace cinecortex::encoding {

/// How the predictions ŷ_k of K models become one, per target:
/// - simplex: w ≥ 0, Σw = 1, least mean squared error (the default)
/// - ridge: with an unpenalised intercept; alpha from default_alphas() by exact leave-one-row-out
/// - ols: least squares with an intercept, of minimum norm where models are collinear
/// - nnls: w ≥ 0, least squares without an intercept
/// - mean: equal weights    - best: the one model of least mean squared error (the first of equals)
std::vector<std::string> stacking_methods();

/// Whether a method's weights are shares: none below 0, and 1 in all.   @throws InputError: unknown.   Collective: no.
bool weights_are_shares(const std::string& method);

/// Reads base predictions: for block b the K predictions and the truth of the same rows and targets.
class StackData {
 public:
  virtual ~StackData() = default;
  virtual Index blocks() const = 0;
  virtual Index models() const = 0;
  virtual Index targets() const = 0;
  virtual std::string name(Index block) const = 0;
  /// y [rows, targets.size()] and one such matrix a model. Local.
  struct Block {
    MatrixD y;
    std::vector<MatrixD> predictions;
  };
  virtual Block read(Index block, Range targets) const = 0;
};

struct StackFit {
  Range targets_local;                   ///< partition(t, size, rank)
  MatrixD weights;                       ///< [K, t_local]
  VectorD intercept;                     ///< [t_local]; zero but for ridge and ols
  std::vector<MatrixD> weights_without;  ///< one [K, t_local] a subset asked for
  std::vector<VectorD> intercept_without;
  /// Leave-one-run-out: one [K, t_local] a block; empty where fewer than two blocks have rows. For ridge with
  /// the alpha of the whole fit.
  std::vector<MatrixD> loro_weights;
};

/// Stacking weights per target from sums over rows (mathematics §8), method §7.
/// @param without  subsets of missing models for which weights are refitted, e.g. {{1}, {1, 2}}
/// @throws InputError: unknown method (lists those there are), a subset that leaves no model or names one
/// there
///         is not, no rows, a block whose shapes differ or that is not finite (names it).
/// Collective: over comm.
StackFit fit_stack(const StackData& data, const std::string& method,
                   const std::vector<std::vector<Index>>& without, const parallel::Communicator& comm);

}  // namespace cinecortex::encoding
