#pragma once
#include <functional>
#include <string>
#include <vector>

#include "cinecortex/encoding/design.hpp"
#include "cinecortex/encoding/lagged_statistics.hpp"
#include "cinecortex/parallel/communicator.hpp"

namespace cinecortex::encoding {

/// One way to make design rows: the leading components at some delays.
struct SweepPoint {
  Index components = 0;
  Design design;
  Index columns() const { return design.columns(components); }  ///< p
};

struct SweepOptions {
  std::vector<double> alphas;  ///< in the order given
  std::string measure = "r2";  ///< what folds are compared by: r2, or r (Pearson), as in RidgeOptions
  bool per_target = true;      ///< one alpha a target; otherwise one for all (best mean over targets)
  /// Fits whose columns differ so much in size that sums of float32 products cannot tell their small directions
  /// from rounding (variances below 1e-6 of the largest) are left out, and marked.
  bool only_resolved_by_single = false;
};

/// What a point reaches on rows that its fits have not seen, for this rank's targets.
struct SweepScore {
  Index rows = 0;         ///< of all folds together
  VectorD r;              ///< [t_local] mean over folds of held-out Pearson r, at the target's alpha
  VectorD r2;             ///< [t_local] likewise R²
  VectorD alpha;          ///< [t_local] chosen
  bool left_out = false;  ///< see SweepOptions::only_resolved_by_single; nothing else is set then
  double seconds = 0;  ///< of this point, what it shares with others divided equally; the same on every rank
};

/// Ridge fits of many designs, alphas and folds from statistics alone: no row is read. Each group is held out once
/// and predicted by the fit to all others, with its own means; alphas are compared by the mean R² (or r) over folds, as
/// `kfold:K` does. Ranks decompose different fits at the same time, several each with a thread for one, then all of them
/// evaluate each for their own targets; a fit with many columns is decomposed by all ranks together.
/// Memory per rank: sweep_bytes().
/// @param groups  statistics of each fold group, with partition(t, size, rank) targets each
/// @param points  whose delays and components the statistics hold
/// @param done    called on every rank when a point is done, with how many are, before its score is returned; from any thread,
///                one at a time; not collective; may be empty
/// @throws InputError if fewer than two groups have rows for a point, or a fold leaves fewer than two rows to fit;
///         StageError if a decomposition fails.
/// Collective: over comm; the result does not depend on the number of ranks beyond rounding.
/// Source: mathematics §1, §2, §4–6.
std::vector<SweepScore> sweep(const std::vector<LaggedStatistics>& groups,
                              const std::vector<SweepPoint>& points, const SweepOptions& options,
                              const parallel::Communicator& comm,
                              const std::function<void(Index)>& done = {});

/// Statistics of each fold group, when they are wanted. Collective: over the sweep's communicator.
/// @param single  whether products in float32 will do
using GroupSums = std::function<std::vector<LaggedStatistics>(bool single)>;

/// The same from sums that are asked for once; a second time, in float64, for the points that float32 products do not
/// resolve (a line of the log says so).
/// @param single  whether to begin with products in float32
/// Collective: over comm.
std::vector<SweepScore> sweep(const GroupSums& sums, bool single, const std::vector<SweepPoint>& points,
                              const SweepOptions& options, const parallel::Communicator& comm,
                              const std::function<void(Index)>& done = {});

/// The same from the rows.
/// @param x         its delays and components are the widest of all points (and the same for parts of a sweep that are
///                  to be equal to the bit)
/// @param group_of  [blocks] fold group of each block
/// @throws InputError also as LaggedStatistics::accumulate.   Collective: over comm.
std::vector<SweepScore> sweep(const LaggedSource& x, const BlockSource& y, const std::vector<Index>& group_of,
                              Index groups, const std::vector<SweepPoint>& points,
                              const SweepOptions& options, const parallel::Communicator& comm,
                              const std::function<void(Index)>& done = {});

/// What a sweep's memory depends on beside its points.
struct SweepShape {
  Index groups = 0, targets = 0, alphas = 0;  ///< fold groups, t, A
  Index runs = 0, run_rows = 0;               ///< how many, rows of the longest
  Index ranks = 1;
};

/// The most bytes that a rank holds at once while statistics are accumulated and in sweep().   Collective: no.
double sweep_bytes(const std::vector<SweepPoint>& points, const SweepShape& shape);

}  // namespace cinecortex::encoding
