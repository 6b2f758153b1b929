#pragma once
#include <algorithm>
#include <vector>

#include "cinecortex/encoding/block_source.hpp"
#include "cinecortex/encoding/design.hpp"
#include "cinecortex/encoding/statistics.hpp"
#include "cinecortex/parallel/communicator.hpp"

namespace cinecortex::encoding {

/// Design rows made of lagged feature rows, run by run. As a BlockSource it gives the design rows.
class LaggedSource : public BlockSource {
 public:
  virtual const Design& design() const = 0;
  virtual Index components() const = 0;               ///< k
  virtual Index feature_rows(Index block) const = 0;  ///< L
  virtual Range times(Index block) const = 0;         ///< TRs of the rows, one after the other
  virtual Index lowest() const = 0;  ///< edge `shift`: first feature row of a window (method §5)
  virtual MatrixD features(Index block) const = 0;  ///< [L, k]
  virtual MatrixF features_single(Index block) const { return features(block).cast<float>(); }
  /// The first `count` rows of the features, or all there are. A source that can, reads no others.
  virtual MatrixD first_features(Index block, Index count) const {
    return features(block).topRows(std::min(count, feature_rows(block)));
  }
  /// A number for its season or movie: sums in float32 never go on from one to another, so that sums of seasons add up
  /// to those of all runs.
  virtual Index season(Index /*block*/) const { return 0; }

  Index rows(Index block) const final { return times(block).size(); }
  Index columns() const final { return design().columns(components()); }
  MatrixD read(Index block, Range columns) const final;
  MatrixF read_single(Index block, Range columns) const final;
  using BlockSource::read;
};

/// d - d' ≥ 0 of all pairs of delays, ascending, each once.   Collective: no.
std::vector<Index> delay_differences(const std::vector<Index>& delays);

/// The most rows of y that `runs` have whose windows reach beyond their run, of as many feature rows. Collective: no.
Index edge_rows(const std::vector<Index>& delays, Index runs);
/// The most bytes that LaggedStatistics::accumulate holds of them beside the sums.
/// @param column  targets that this rank sums up    @param run_parts  ranks that share them
double edge_bytes(Index edge_rows, Index components, double column, Index run_parts);

/// Sums over the rows of some runs from which the statistics of many designs can be made: what LaggedStatistics holds,
/// laid open to be kept in a file. x is the same on every rank, y this rank's targets. All sums are about the shifts.
struct LaggedSums {
  /// A run's rows near its edges, from which everything that differs between designs is made.
  struct Edges {
    Index block = 0, feature_rows = 0, lowest = 0;
    Range times, interior;   ///< TRs wanted; those whose windows lie inside for all delays
    Index tail_begin = 0;    ///< feature row of tail_x's first row
    MatrixD head_x, tail_x;  ///< first and last feature rows [., k], as they are
    MatrixD head_y, tail_y;  ///< responses at the TRs before and after the interior [., t_local], shifted
  };

  std::vector<Index> delays;  ///< ascending
  Index components = 0;       ///< k
  VectorD shift_x, shift_y;   ///< [k], [t_local]
  /// For each of delay_differences(delays): [k, k] Σ_s F[s] F[s + difference]ᵀ over the rows that the interior TRs
  /// reach. Empty where no gram was wanted.
  std::vector<MatrixD> auto_products;
  std::vector<MatrixD> cross_products;  ///< for each delay: [k, t_local] over interior TRs
  MatrixD sums_x;                       ///< [delays, k] over interior TRs
  VectorD sum_y, squares_y;             ///< [t_local] over interior TRs
  Index interior_rows = 0;
  std::vector<Edges> edges;  ///< of each run, by block

  /// Puts other targets of the same rows behind these.   @throws Error if the rows are not the same. Collective: no.
  void append_targets(const LaggedSums& more);
};

/// What the statistics of many designs have in common, accumulated once: any number of leading components, any
/// subset of the delays, every edge policy. A block of G at delays (d, d') depends, inside a run, on d - d'
/// alone: L delays cost as many products as they have differences, not L². Rows whose window touches a run's
/// edge are kept and added to each design by themselves; so the result is exact.
/// Source: mathematics §1 (lag structure, nesting).
class LaggedStatistics {
 public:
  /// What `accumulate` sums up.
  struct Wanted {
    bool gram = true;    ///< without it, for a further block of targets, `assemble` leaves gram empty
    bool single = true;  ///< products in float32 where x and y are single precision; otherwise in float64
  };

  /// Streams the runs once, the next one being read while one is multiplied. Sums are in float64.
  /// @param x         its design's delays are the widest set; `times` are all TRs wanted of a run
  /// @param y         the same blocks and rows
  /// @param group_of  [blocks] fold group of each block, 0 … groups - 1
  /// @return one object a group; cross products hold this rank's targets, partition(t, size, rank).
  /// @throws InputError as fit_ridge.   Collective: over comm.
  static std::vector<LaggedStatistics> accumulate(const LaggedSource& x, const BlockSource& y,
                                                  const std::vector<Index>& group_of, Index groups,
                                                  const parallel::Communicator& comm, Wanted wanted);
  static std::vector<LaggedStatistics> accumulate(const LaggedSource& x, const BlockSource& y,
                                                  const std::vector<Index>& group_of, Index groups,
                                                  const parallel::Communicator& comm) {
    return accumulate(x, y, group_of, groups, comm, Wanted{});
  }

  /// Sums as `sums` gave them.   @throws Error unless their shapes fit together.   Collective: no.
  explicit LaggedStatistics(LaggedSums sums);
  const LaggedSums& sums() const noexcept { return sums_; }

  /// Adds the sums of other runs.   @throws Error unless delays, components, targets and shifts are the same.
  /// Collective: no.
  LaggedStatistics& operator+=(const LaggedStatistics& other);

  /// Statistics of a design on the leading components: columns ordered as Design::rows_at orders them.
  /// @pre every delay of `design` is one of delays(); components ≤ components().
  /// @throws Error otherwise.   Collective: no.
  Statistics assemble(const Design& design, Index components) const;
  /// The whole of it, and the object is empty afterwards: for a single delay nothing is copied.
  Statistics take(const Design& design) &&;

  const std::vector<Index>& delays() const noexcept { return sums_.delays; }  ///< ascending
  Index components() const noexcept { return sums_.components; }
  Index targets() const noexcept { return sums_.sum_y.size(); }  ///< t_local

 private:
  bool has_gram() const noexcept { return !sums_.auto_products.empty(); }
  Statistics without_products(const Design& design, Index components) const;
  /// Upper triangle of G over interior TRs.
  void add_inner_gram(const Design& design, Index components, MatrixD& gram) const;
  void add_edge_rows(const Design& design, Index components, Statistics& statistics) const;

  LaggedSums sums_;
  std::vector<Index> differences_;  ///< delay_differences(delays)
};

}  // namespace cinecortex::encoding
