#pragma once
#include "cinecortex/encoding/pca.hpp"
#include "cinecortex/encoding/ridge.hpp"
#include "cinecortex/parallel/communicator.hpp"

namespace cinecortex::stages {

/// What a rank does in a second while all of them are busy.
struct MachineSpeed {
  double single_flops = 0;  ///< matrix product in float32
  double double_flops = 0;  ///< in float64
};

/// Times matrix products on every rank at once, for about 0.2 s; the slowest rank's.   Collective: over comm.
MachineSpeed measure_speed(const parallel::Communicator& comm);

/// Seconds of an experiment's stages, from the operations they need (docs/performance.md, the cost model) and a
/// machine's speed. Rough: it knows nothing of networks between nodes and takes a file system's speed for granted.
/// Collective: no.
class TimeModel {
 public:
  /// Bytes a second to and from files, all ranks together.
  static constexpr double file_bytes_a_second = 1e9;

  TimeModel(MachineSpeed speed, int ranks) : speed_(speed), ranks_(ranks) {}

  double pca(encoding::PcaSolver solver, const encoding::PcaShape& shape) const;
  /// @param shape  targets of all subjects that are fitted together; folds > 1: a criterion by folds
  double ridge(const encoding::RidgeShape& shape) const;
  /// Fits of one space and subject that share their sums over the rows.
  /// @param columns  p of each
  double sweep(const encoding::RidgeShape& shape, const std::vector<Index>& columns) const;
  /// Predictions of `rows` by a fitted model, its weights read, predictions written.
  double predictions(Index rows, Index columns, Index targets) const;

 private:
  double single_products(double operations) const;
  double double_products(double operations) const;
  /// `count` symmetric matrices of this size, with eigenvectors.
  double decompositions(Index count, Index size) const;
  double files(double bytes) const { return bytes / file_bytes_a_second; }

  MachineSpeed speed_;
  int ranks_;
};

}  // namespace cinecortex::stages
