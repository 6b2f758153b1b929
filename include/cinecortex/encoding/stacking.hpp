#pragma once
#include <memory>
#include <string>
#include <vector>

#include "cinecortex/encoding/block_source.hpp"
#include "cinecortex/parallel/communicator.hpp"

namespace cinecortex::encoding {

std::vector<std::string> stacking_methods();  ///< simplex, ridge, ols, nnls, mean, best: those there are

/// Minimises ½ wᵀPw subject to w ≥ 0, Σw = 1; ends on the exact KKT point (stationarity and feasibility 1e-10
/// relative to the largest entry); equal models share their weight equally. `fixed_zero[k]` leaves model k out.
/// @param p  [K, K] symmetric positive semi-definite    Collective: no.
VectorD simplex_weights(const MatrixD& p, const std::vector<bool>& left_out = {});

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
  Range targets_local;                    ///< partition(t, size, rank)
  MatrixD weights;                        ///< [K, t_local]
  VectorD intercept;                      ///< [t_local]; zero but for ridge and ols
  std::vector<MatrixD> weights_without;   ///< one [K, t_local] a subset asked for
  std::vector<VectorD> intercept_without;
  std::vector<MatrixD> loro_weights;      ///< leave-one-run-out: one [K, t_local] a block; empty for one block
};

/// Stacking weights per target from sums over rows (mathematics §8), method §7.
/// @param without  subsets of missing models for which weights are refitted, e.g. {{1}, {1, 2}}
/// @throws InputError: unknown method (lists those there are), a subset that leaves no model.
/// Collective: over comm.
StackFit fit_stack(const StackData& data, const std::string& method, const std::vector<std::vector<Index>>& without,
                   const parallel::Communicator& comm);

}  // namespace cinecortex::encoding
