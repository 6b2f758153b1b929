#include "cinecortex/encoding/design.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "cinecortex/core/error.hpp"

namespace cinecortex::encoding {
namespace {

/// Feature row [0, L) behind each delay of a window that is moved as a whole until it fits.
/// The window spans the oldest to the newest delay; where even the run is shorter than that, it ends at the
/// last row and the first row stands for what is missing in front.
class ShiftedRows {
 public:
  ShiftedRows(const std::vector<Index>& delays, Index length, Index lowest)
      : oldest_(delays.front()),
        span_(delays.front() - delays.back() + 1),
        length_(length),
        lowest_(lowest) {}

  Index operator()(Index time, Index delay) const {
    Index begin = std::max(lowest_, time - oldest_);
    if (begin + span_ > length_) begin = length_ - span_;
    return std::max<Index>(begin + oldest_ - delay, 0);
  }

 private:
  Index oldest_, span_, length_, lowest_;
};

bool inside(Index row, Index length) {
  return row >= 0 && row < length;
}

bool fits(const Design& design, const RunExtent& run) {
  if (run.wanted.empty() || run.feature_rows == 0) return false;
  const Index first = run.wanted.begin, last = run.wanted.end - 1;
  const Index oldest = design.delays().front(), newest = design.delays().back();
  switch (design.edge()) {
    case Edge::shift: {
      const ShiftedRows row(design.delays(), run.feature_rows, run.lowest);
      return first == last || row(first, newest) != row(last, newest);
    }
    case Edge::zero:
      return last >= oldest && first < run.feature_rows + newest;
    case Edge::drop:
      break;
  }
  return !design.rows(run.feature_rows, run.wanted).empty();
}

}  // namespace

std::string_view name(Edge edge) {
  switch (edge) {
    case Edge::shift:
      return "shift";
    case Edge::zero:
      return "zero";
    case Edge::drop:
      break;
  }
  return "drop";
}

Edge parse_edge(std::string_view name) {
  if (name == "shift") return Edge::shift;
  if (name == "zero") return Edge::zero;
  if (name == "drop") return Edge::drop;
  throw InputError(fmt::format("edge \"{}\": allowed are shift, zero, drop", name));
}

Design Design::shifted_window(Index delay, Index window, Edge edge) {
  if (window < 1) throw InputError(fmt::format("window {}: a window has at least 1 TR", window));
  std::vector<Index> delays;
  for (Index d = delay + window - 1; d >= delay; --d) delays.push_back(d);
  return fir(std::move(delays), edge);
}

Design Design::for_prediction() const {
  return edge_ == Edge::drop ? fir(delays_, Edge::shift) : *this;
}

Design Design::fir(std::vector<Index> delays, Edge edge) {
  if (delays.empty()) throw InputError("delays []: at least one delay is needed");
  std::sort(delays.begin(), delays.end(), std::greater<>{});
  if (const auto twice = std::adjacent_find(delays.begin(), delays.end()); twice != delays.end()) {
    throw InputError(fmt::format("delays: {} is there twice; each delay counts once", *twice));
  }
  Design design;
  design.delays_ = std::move(delays);
  design.edge_ = edge;
  return design;
}

std::vector<Index> Design::rows(Index feature_rows, Range wanted) const {
  std::vector<Index> times;
  for (Index t = wanted.begin; t < wanted.end; ++t) {
    const bool fits = inside(t - delays_.front(), feature_rows) && inside(t - delays_.back(), feature_rows);
    if (edge_ != Edge::drop || fits) times.push_back(t);
  }
  return times;
}

MatrixD Design::rows_at(const ConstViewD& features, const std::vector<Index>& times, Index lowest) const {
  return make_rows<double>(features, times, lowest);
}

MatrixF Design::rows_at(const ConstViewF& features, const std::vector<Index>& times, Index lowest) const {
  return make_rows<float>(features, times, lowest);
}

template <class Scalar>
Matrix<Scalar> Design::make_rows(const ConstView<Scalar>& features, const std::vector<Index>& times,
                                 Index lowest) const {
  const Index length = features.rows();
  const Index k = features.cols();
  if (edge_ == Edge::shift && length == 0 && !times.empty()) {
    throw InputError("a run without feature rows has no window that could be shifted into it");
  }
  const ShiftedRows shifted(delays_, length, lowest);
  Matrix<Scalar> design(static_cast<Index>(times.size()), columns(k));
  for (Index i = 0; i < design.rows(); ++i) {
    const Index time = times[static_cast<std::size_t>(i)];
    for (std::size_t position = 0; position < delays_.size(); ++position) {
      const Index delay = delays_[position];
      auto cells = design.row(i).segment(static_cast<Index>(position) * k, k);
      const Index row = edge_ == Edge::shift ? shifted(time, delay) : time - delay;
      if (inside(row, length)) {
        cells = features.row(row);
      } else if (edge_ == Edge::zero) {
        cells.setZero();
      } else {
        throw Error(
            fmt::format("internal: TR {} with delay {} lies outside a run of {} rows, which edge \"drop\" "
                        "leaves out: ask for rows() first",
                        time, delay, length));
      }
    }
  }
  return design;
}

void require_reach(const Design& design, const std::vector<RunExtent>& runs, const std::string& where) {
  Index longest = 0;
  for (const auto& run : runs) {
    if (fits(design, run)) return;
    longest = std::max(longest, run.feature_rows);
  }
  if (longest == 0) return;  // without features: somebody else's error
  throw InputError(fmt::format("{}: delays from {} to {} TRs do not fit into any run; the longest has {} TRs",
                               where, design.delays().back(), design.delays().front(), longest));
}

}  // namespace cinecortex::encoding
