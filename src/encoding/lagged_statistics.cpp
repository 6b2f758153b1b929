#include "cinecortex/encoding/lagged_statistics.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>

#include "cinecortex/core/error.hpp"
#include "cinecortex/linalg/dense.hpp"

namespace cinecortex::encoding {
namespace {

std::vector<Index> listed(Range range) {
  std::vector<Index> all(static_cast<std::size_t>(std::max<Index>(range.size(), 0)));
  std::iota(all.begin(), all.end(), range.begin);
  return all;
}

std::size_t position(const std::vector<Index>& sorted, Index value, const char* what) {
  const auto found = std::lower_bound(sorted.begin(), sorted.end(), value);
  if (found == sorted.end() || *found != value) {
    throw Error(fmt::format("internal: the statistics do not hold the {} {}", what, value));
  }
  return static_cast<std::size_t>(found - sorted.begin());
}

/// Pairs of rows whose products are added to, or taken from, an inner block of G.
class RowPairs {
 public:
  RowPairs(Index most, Index columns) : a_(most, columns), b_(most, columns) {}
  void put(const MatrixD& from, Range rows, Index difference, const VectorD& shift) {
    for (Index s = rows.begin; s < rows.end; ++s, ++count_) {
      a_.row(count_) = from.row(s).head(a_.cols()) - shift.transpose();
      b_.row(count_) = from.row(s + difference).head(a_.cols()) - shift.transpose();
    }
  }
  void add_products(double sign, MatrixD& to) {
    linalg::gemm(true, false, sign, a_.topRows(count_), b_.topRows(count_), 1.0, to);
    count_ = 0;
  }

 private:
  MatrixD a_, b_;
  Index count_ = 0;
};

void require(bool fits, const char* what) {
  if (!fits) throw Error(fmt::format("internal: lagged sums with {} of another shape", what));
}

bool all_of_shape(const std::vector<MatrixD>& matrices, std::size_t count, Index rows, Index columns) {
  return matrices.size() == count && std::all_of(matrices.begin(), matrices.end(), [&](const MatrixD& m) {
           return m.rows() == rows && m.cols() == columns;
         });
}

void append_columns(MatrixD& to, const MatrixD& more) {
  const Index before = to.cols();
  to.conservativeResize(Eigen::NoChange, before + more.cols());
  to.rightCols(more.cols()) = more;
}

void append(VectorD& to, const VectorD& more) {
  to.conservativeResize(to.size() + more.size());
  to.tail(more.size()) = more;
}

void add_each(std::vector<MatrixD>& to, const std::vector<MatrixD>& from) {
  for (std::size_t i = 0; i < to.size(); ++i) to[i] += from[i];
}

}  // namespace

std::vector<Index> delay_differences(const std::vector<Index>& delays) {
  std::vector<Index> differences;
  for (const Index d : delays) {
    for (const Index e : delays) {
      if (d >= e) differences.push_back(d - e);
    }
  }
  std::sort(differences.begin(), differences.end());
  differences.erase(std::unique(differences.begin(), differences.end()), differences.end());
  return differences;
}

void LaggedSums::append_targets(const LaggedSums& more) {
  if (delays != more.delays || shift_x != more.shift_x || interior_rows != more.interior_rows ||
      edges.size() != more.edges.size()) {
    throw Error("internal: lagged sums of other rows do not stand side by side");
  }
  append(shift_y, more.shift_y);
  append(sum_y, more.sum_y);
  append(squares_y, more.squares_y);
  for (std::size_t i = 0; i < cross_products.size(); ++i)
    append_columns(cross_products[i], more.cross_products[i]);
  for (std::size_t i = 0; i < edges.size(); ++i) {
    append_columns(edges[i].head_y, more.edges[i].head_y);
    append_columns(edges[i].tail_y, more.edges[i].tail_y);
  }
}

MatrixD LaggedSource::read(Index block, Range columns) const {
  const MatrixD rows = design().rows_at(features(block), listed(times(block)), lowest());
  if (columns == Range{0, rows.cols()}) return rows;
  return rows.middleCols(columns.begin, columns.size());
}

MatrixF LaggedSource::read_single(Index block, Range columns) const {
  const MatrixF rows = design().rows_at(features_single(block), listed(times(block)), lowest());
  if (columns == Range{0, rows.cols()}) return rows;
  return rows.middleCols(columns.begin, columns.size());
}

LaggedStatistics::LaggedStatistics(LaggedSums sums)
    : sums_(std::move(sums)), differences_(delay_differences(sums_.delays)) {
  const Index k = sums_.components, t = sums_.shift_y.size();
  require(!sums_.delays.empty() && std::is_sorted(sums_.delays.begin(), sums_.delays.end()), "delays");
  require(sums_.shift_x.size() == k, "shift_x");
  require(!has_gram() || all_of_shape(sums_.auto_products, differences_.size(), k, k), "auto products");
  require(all_of_shape(sums_.cross_products, sums_.delays.size(), k, t), "cross products");
  require(sums_.sums_x.rows() == static_cast<Index>(sums_.delays.size()) && sums_.sums_x.cols() == k,
          "sums_x");
  require(sums_.sum_y.size() == t && sums_.squares_y.size() == t, "sums of y");
  for (const auto& e : sums_.edges) {
    require(e.head_x.cols() == k && e.tail_x.cols() == k && e.head_y.cols() == t && e.tail_y.cols() == t,
            "edges");
  }
}

LaggedStatistics& LaggedStatistics::operator+=(const LaggedStatistics& other) {
  const LaggedSums& more = other.sums_;
  if (sums_.delays != more.delays || sums_.components != more.components || has_gram() != other.has_gram() ||
      sums_.shift_x != more.shift_x || sums_.shift_y != more.shift_y) {
    throw Error("internal: lagged sums of other delays, components, targets or shifts do not add up");
  }
  add_each(sums_.auto_products, more.auto_products);
  add_each(sums_.cross_products, more.cross_products);
  sums_.sums_x += more.sums_x;
  sums_.sum_y += more.sum_y;
  sums_.squares_y += more.squares_y;
  sums_.interior_rows += more.interior_rows;
  sums_.edges.insert(sums_.edges.end(), more.edges.begin(), more.edges.end());
  std::sort(sums_.edges.begin(), sums_.edges.end(),
            [](const auto& a, const auto& b) { return a.block < b.block; });
  return *this;
}

void LaggedStatistics::add_inner_gram(const Design& design, Index k, MatrixD& gram) const {
  const auto& delays = design.delays();           // descending: position in the design's columns
  std::map<Index, std::vector<Index>> diagonals;  // difference → newer-row delays d, ascending
  for (auto d = delays.rbegin(); d != delays.rend(); ++d) {
    for (const Index e : delays) {
      if (*d >= e) diagonals[*d - e].push_back(*d);
    }
  }
  const auto column_of = [&](Index delay) {
    return k * static_cast<Index>(std::find(delays.begin(), delays.end(), delay) - delays.begin());
  };
  const Index span = sums_.delays.back() - sums_.delays.front();
  const VectorD shift = sums_.shift_x.head(k);
  RowPairs added(static_cast<Index>(sums_.edges.size()) * span, k),
      removed(2 * static_cast<Index>(sums_.edges.size()) * span, k);
  for (auto& [difference, olders] : diagonals) {
    MatrixD block =
        sums_.auto_products[position(differences_, difference, "difference of delays")].topLeftCorner(k, k);
    // The sum over rows s = t - d of all interior TRs t, from the one over every row that some delay reaches.
    Index reached = sums_.delays.back();
    bool first = true;
    for (const Index d : olders) {
      for (const auto& e : sums_.edges) {
        const auto [a, b] = std::pair{e.interior.begin, e.interior.end};
        if (e.interior.empty()) continue;
        const Index offset = e.tail_begin;
        if (first) {
          removed.put(e.head_x, {a - sums_.delays.back(), a - d}, difference, shift);
          removed.put(e.tail_x, {b - d - offset, b - sums_.delays.front() - difference - offset}, difference,
                      shift);
        } else {
          added.put(e.head_x, {a - d, a - reached}, difference, shift);
          removed.put(e.tail_x, {b - d - offset, b - reached - offset}, difference, shift);
        }
      }
      added.add_products(1.0, block);
      removed.add_products(-1.0, block);
      first = false;
      reached = d;
      gram.block(column_of(d - difference), column_of(d), k, k) = block.transpose();
    }
  }
}

void LaggedStatistics::add_edge_rows(const Design& design, Index k, Statistics& statistics) const {
  constexpr Index batch = 1024;
  const Index p = design.columns(k), targets = statistics.targets();
  MatrixD x(batch, p), y(batch, targets);
  Index count = 0;
  const auto flush = [&] {
    const auto some_x = x.topRows(count);
    const auto some_y = y.topRows(count);
    if (has_gram()) linalg::add_gram(some_x, 1.0, statistics.gram);
    linalg::gemm(true, false, 1.0, some_x, some_y, 1.0, statistics.cross);
    statistics.sum_x += some_x.colwise().sum().transpose();
    statistics.sum_y += some_y.colwise().sum().transpose();
    statistics.squares_y += some_y.colwise().squaredNorm().transpose();
    statistics.rows += count;
    count = 0;
  };
  const auto add = [&](const MatrixD& features, const MatrixD& responses, Index first_feature,
                       Index first_time, const std::vector<Index>& times, Index lowest) {
    for (std::size_t begin = 0; begin < times.size(); ++begin) {
      const Index time = times[begin];
      x.row(count) =
          design.rows_at(features.leftCols(k), {time - first_feature}, lowest - first_feature).row(0) -
          statistics.shift_x.transpose();
      y.row(count) = responses.row(time - first_time);
      if (++count == batch) flush();
    }
  };
  for (const auto& e : sums_.edges) {
    const Index length = e.feature_rows;
    if (e.interior.empty()) {
      add(e.head_x, e.head_y, 0, e.times.begin, design.rows(length, e.times), e.lowest);
      continue;
    }
    add(e.head_x, e.head_y, 0, e.times.begin, design.rows(length, {e.times.begin, e.interior.begin}),
        e.lowest);
    add(e.tail_x, e.tail_y, e.tail_begin, e.interior.end, design.rows(length, {e.interior.end, e.times.end}),
        e.lowest);
  }
  flush();
}

Statistics LaggedStatistics::without_products(const Design& design, Index k) const {
  if (k < 1 || k > sums_.components) {
    throw Error(fmt::format("internal: statistics of {} components, but {} are wanted", sums_.components, k));
  }
  const auto& delays = design.delays();
  Statistics result{.rows = sums_.interior_rows,
                    .shift_x = sums_.shift_x.head(k).replicate(static_cast<Index>(delays.size()), 1),
                    .shift_y = sums_.shift_y,
                    .sum_x = VectorD(design.columns(k)),
                    .sum_y = sums_.sum_y,
                    .squares_y = sums_.squares_y};
  for (std::size_t i = 0; i < delays.size(); ++i) {
    const auto at = static_cast<Index>(position(sums_.delays, delays[i], "delay"));
    result.sum_x.segment(static_cast<Index>(i) * k, k) = sums_.sums_x.row(at).head(k).transpose();
  }
  return result;
}

Statistics LaggedStatistics::assemble(const Design& design, Index components) const {
  Statistics result = without_products(design, components);
  const auto& delays = design.delays();
  result.cross = MatrixD(result.columns(), result.targets());
  for (std::size_t i = 0; i < delays.size(); ++i) {
    result.cross.middleRows(static_cast<Index>(i) * components, components) =
        sums_.cross_products[position(sums_.delays, delays[i], "delay")].topRows(components);
  }
  if (has_gram()) {
    result.gram = MatrixD::Zero(result.columns(), result.columns());
    add_inner_gram(design, components, result.gram);
  }
  add_edge_rows(design, components, result);
  if (has_gram()) linalg::mirror_lower(result.gram);
  return result;
}

Statistics LaggedStatistics::take(const Design& design) && {
  if (sums_.delays.size() > 1 || design.delays() != sums_.delays) return assemble(design, sums_.components);
  Statistics result = without_products(design, sums_.components);
  result.cross = std::move(sums_.cross_products[0]);
  if (has_gram()) result.gram = std::move(sums_.auto_products[0]);
  add_edge_rows(design, sums_.components, result);
  if (has_gram()) linalg::mirror_lower(result.gram);
  return result;
}

}  // namespace cinecortex::encoding
