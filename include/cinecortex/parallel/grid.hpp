#pragma once
#include <span>
#include <vector>

#include "cinecortex/parallel/communicator.hpp"

namespace cinecortex::parallel {

/// Deals items (runs) of different weight to parts: heaviest first to the lightest part; equal on every rank.
/// @return for each part its items, ascending.   Collective: no.
std::vector<std::vector<Index>> deal_longest_first(std::span<const Index> weights, Index parts);

/// The largest divisor of `size` that leaves every part at least `min_targets` targets (1 if none does).
/// Collective: no.
int target_parts(int size, Index targets, Index min_targets = 64);
/// How many of `size` ranks then share a target, each with other runs.   Collective: no.
inline int run_parts(int size, Index targets) {
  return size / target_parts(size, targets);
}

/// A process grid of runs × targets (mathematics: rows of a regression are dealt to the run axis, target
/// columns to the target axis). Ranks of one row share runs, ranks of one column share targets. The ranks of
/// a column are neighbours, and its targets are exactly those that partition(t, size, rank) gives to them:
/// what a column has reduced needs no further message to reach its final owner.
class Grid {
 public:
  /// Chooses the shape: P_target as large as leaves every column at least `min_targets` targets, then
  /// P_run = size / P_target (ranks = P_run × P_target always).   Collective: over comm.
  Grid(const Communicator& comm, Index targets_global, Index min_targets = 64);

  int run_parts() const noexcept { return run_parts_; }
  int target_parts() const noexcept { return target_parts_; }
  int run_part() const noexcept { return run_part_; }
  int target_part() const noexcept { return target_part_; }
  Range targets_local() const noexcept { return targets_local_; }  ///< this column's targets
  Range targets_owned() const noexcept {
    return targets_owned_;
  }  ///< partition(t, size, rank), a part of them
  const Communicator& run_axis() const noexcept { return run_axis_; }  ///< ranks with the same targets

 private:
  int run_parts_, target_parts_, run_part_, target_part_;
  Range targets_local_, targets_owned_;
  Communicator run_axis_;
};

}  // namespace cinecortex::parallel
