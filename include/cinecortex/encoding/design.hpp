#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "cinecortex/core/types.hpp"

namespace cinecortex::encoding {

/// What happens to a row whose window reaches over the run's edge. Delays never cross a run's border.
enum class Edge {
  shift,  ///< the window is moved until it fits (the paper's code)
  zero,   ///< rows outside count as zeros
  drop,   ///< the TR is not used
};
Edge parse_edge(std::string_view name);  ///< @throws InputError listing shift, zero, drop
std::string_view name(Edge edge);

/// A run as a design sees it.
struct RunExtent {
  Index feature_rows;  ///< L
  Range wanted;        ///< TRs of the responses
  Index lowest = 0;    ///< edge `shift`: the smallest feature row a window may begin at
};

/// From feature rows to design rows: x_t = [F[t - d] for d in delays], oldest first, side by side.
/// `delay` and `window` of an experiment are delays {delay + window - 1, …, delay}.
/// Source: method §5 (one shift of `delay` TRs, then `window` consecutive TRs).
class Design {
 public:
  static Design shifted_window(Index delay, Index window, Edge edge);
  /// Any set of delays in TRs, negative ones included; sorted descending (oldest first), no duplicates.
  static Design fir(std::vector<Index> delays, Edge edge);

  const std::vector<Index>& delays() const noexcept { return delays_; }
  Edge edge() const noexcept { return edge_; }
  /// The same delays for predicting every TR of a run: `drop` is for fitting, a prediction has no holes, so
  /// there it moves the window as `shift` does.
  Design for_prediction() const;
  Index columns(Index components) const { return components * static_cast<Index>(delays_.size()); }

  /// TRs of the response that this design can predict: all of [first, last) but those that `drop` leaves out.
  /// @param feature_rows  L    @param wanted  e.g. trimmed rows [5, T-5)
  std::vector<Index> rows(Index feature_rows, Range wanted) const;

  /// Design rows [times.size(), columns(F.cols())] for the TRs `times` of a run, which may lie beyond L.
  /// @param features   [L, k]
  /// @param lowest     edge `shift`: the smallest feature row a window may begin at (`lo`: the trim for
  ///                   fitting, 0 for full-length prediction)
  MatrixD rows_at(const ConstViewD& features, const std::vector<Index>& times, Index lowest) const;
  MatrixF rows_at(const ConstViewF& features, const std::vector<Index>& times, Index lowest) const;

 private:
  template <class Scalar>
  Matrix<Scalar> make_rows(const ConstView<Scalar>& features, const std::vector<Index>& times,
                           Index lowest) const;

  std::vector<Index> delays_;
  Edge edge_ = Edge::shift;
};

/// @throws InputError if the delays fit into none of the runs: edge `zero` and a delay that reaches beyond the run from every
/// TR, whose columns would be zeros; `shift` and the same window for every TR; `drop` and no TR left. Without runs nothing.
/// @param where  what the message begins with    Collective: no.
void require_reach(const Design& design, const std::vector<RunExtent>& runs, const std::string& where);

}  // namespace cinecortex::encoding
