#include "cinecortex/encoding/lagged_statistics.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>

#include "cinecortex/core/error.hpp"
#include "cinecortex/linalg/dense.hpp"
#include "cinecortex/linalg/product_sum.hpp"
#include "columns.hpp"
#include "ridge_problem.hpp"
#include "stream_ahead.hpp"

namespace cinecortex::encoding {
namespace {

std::vector<Index> listed(Range range) {
  std::vector<Index> all(static_cast<std::size_t>(std::max<Index>(range.size(), 0)));
  std::iota(all.begin(), all.end(), range.begin);
  return all;
}

std::vector<Index> ascending(std::vector<Index> delays) {
  std::sort(delays.begin(), delays.end());
  return delays;
}

/// d - d' ≥ 0 of all pairs, ascending.
std::vector<Index> differences_of(const std::vector<Index>& delays) {
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

std::size_t position(const std::vector<Index>& sorted, Index value, const char* what) {
  const auto found = std::lower_bound(sorted.begin(), sorted.end(), value);
  if (found == sorted.end() || *found != value) {
    throw Error(fmt::format("internal: the statistics do not hold the {} {}", what, value));
  }
  return static_cast<std::size_t>(found - sorted.begin());
}

/// TRs whose feature rows at all delays lie in the run, and not before `lowest`.
Range interior_times(Range times, Index feature_rows, Index lowest, const std::vector<Index>& delays) {
  const Index begin = std::max(times.begin, std::max<Index>(lowest, 0) + delays.back());
  const Index end = std::min(times.end, feature_rows + delays.front());
  return begin < end ? Range{begin, end} : Range{times.begin, times.begin};
}

template <class Scalar>
struct Run {
  Matrix<Scalar> x;  ///< [L, k]
  Matrix<Scalar> y;  ///< [rows, t_col]
};

template <class Scalar>
Run<Scalar> read_run(const LaggedSource& x, const BlockSource& y, Index block, Range targets) {
  if constexpr (std::is_same_v<Scalar, float>) {
    return {x.features_single(block), y.read_single(block, targets)};
  } else {
    return {x.features(block), y.read(block, targets)};
  }
}

/// Shifts that float32 can hold, so that subtracting them there is the same as subtracting them in float64.
VectorD representable(const VectorD& shift, bool single) {
  return single ? VectorD(shift.cast<float>().cast<double>()) : shift;
}

/// Rows as numbers for a message, and back.
class Packer {
 public:
  void put(Index value) { numbers_.push_back(static_cast<double>(value)); }
  void put(const MatrixD& matrix) {
    put(matrix.rows());
    put(matrix.cols());
    numbers_.insert(numbers_.end(), matrix.data(), matrix.data() + matrix.size());
  }
  std::span<const double> numbers() const { return numbers_; }

 private:
  std::vector<double> numbers_;
};

class Unpacker {
 public:
  explicit Unpacker(std::span<const double> numbers) : left_(numbers) {}
  bool done() const { return left_.empty(); }
  Index index() {
    const auto value = static_cast<Index>(left_[0]);
    left_ = left_.subspan(1);
    return value;
  }
  MatrixD matrix() {
    const Index rows = index(), columns = index();
    MatrixD values = Eigen::Map<const MatrixD>(left_.data(), rows, columns);
    left_ = left_.subspan(static_cast<std::size_t>(rows * columns));
    return values;
  }

 private:
  std::span<const double> left_;
};

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

}  // namespace

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

/// One group's sums on this rank, while they grow.
class LaggedAccumulator {
 public:
  using Edges = LaggedStatistics::Edges;

  LaggedAccumulator(const LaggedStatistics& shape, Index targets)
      : delays_(shape.delays_),
        differences_(shape.differences_),
        has_gram_(shape.has_gram_),
        gram_(has_gram_ ? shape.components_ : 0),
        sums_x_(MatrixD::Zero(static_cast<Index>(delays_.size()), shape.components_)),
        sum_y_(VectorD::Zero(targets)),
        squares_y_(VectorD::Zero(targets)) {
    for (std::size_t i = 1; has_gram_ && i < differences_.size(); ++i)
      autos_.emplace_back(shape.components_, shape.components_);
    for (std::size_t i = 0; i < delays_.size(); ++i) crosses_.emplace_back(shape.components_, targets);
  }

  /// @param part of parts  the share of the products of features that this rank takes over, in pieces that do not
  ///                       depend on the number of ranks, and so round alike; `turn` begins with another rank each run
  template <class Scalar>
  void add(const Run<Scalar>& run, Index first_time, Range interior, Index turn, Index part, Index parts) {
    if (interior.empty()) return;
    const Index first = interior.begin - delays_.back();
    const Index rows = interior.end - delays_.front() - first;
    for (std::size_t i = 0; has_gram_ && i < differences_.size(); ++i) {
      const Index count = rows - differences_[i];
      for (Index piece = 0; piece * piece_rows < count; ++piece) {
        if ((piece + turn) % parts != part) continue;
        const Index begin = first + piece * piece_rows,
                    size = std::min(piece_rows, count - piece * piece_rows);
        const auto now = run.x.middleRows(begin, size);
        if (i == 0) {
          gram_.add(now);
        } else {
          autos_[i - 1].add(now, run.x.middleRows(begin + differences_[i], size));
        }
      }
    }
    const auto y = run.y.middleRows(interior.begin - first_time, interior.size());
    for (std::size_t i = 0; i < delays_.size(); ++i) {
      const auto x = run.x.middleRows(interior.begin - delays_[i], interior.size());
      crosses_[i].add(x, y);
      VectorD sums = VectorD::Zero(x.cols());
      add_column_sums(x, sums);
      sums_x_.row(static_cast<Index>(i)) += sums.transpose();
    }
    add_column_sums(y, sum_y_, squares_y_);
    interior_rows_ += interior.size();
  }

  /// Keeps what is needed of a run's rows near its edges.   @pre run.x is not shifted, run.y is.
  template <class Scalar>
  void keep_edges(const Run<Scalar>& run, const Edges& place) {
    Edges edges = place;
    const Range interior = place.interior;
    if (interior.empty()) {
      edges.head_x = run.x.template cast<double>();
      edges.head_y = run.y.template cast<double>();
      edges.tail_x = MatrixD(0, run.x.cols());
      edges.tail_y = MatrixD(0, run.y.cols());
    } else {
      const Index head = std::min(place.feature_rows, interior.begin - delays_.front() + 1);
      edges.tail_begin = std::max<Index>(interior.end - delays_.back() - 1, 0);
      edges.head_x = run.x.topRows(head).template cast<double>();
      edges.tail_x = run.x.bottomRows(place.feature_rows - edges.tail_begin).template cast<double>();
      edges.head_y = run.y.topRows(interior.begin - place.times.begin).template cast<double>();
      edges.tail_y = run.y.bottomRows(place.times.end - interior.end).template cast<double>();
    }
    edges_.push_back(std::move(edges));
  }

  /// Sums over ranks; everything but the targets owned by others goes to `result`.   Collective: over the problem.
  void finish(LaggedStatistics& result, const RidgeProblem& problem) {
    const auto& axis = problem.grid().run_axis();
    const Range owned = problem.owned();
    if (has_gram_) result.auto_products_.push_back(gram_.take());
    for (auto& product : autos_) result.auto_products_.push_back(product.take());
    for (auto& product : result.auto_products_) problem.comm().sum(numbers(product));
    for (auto& product : crosses_) {
      MatrixD sum = product.take();
      axis.sum(numbers(sum));
      result.cross_products_.push_back(sum.middleCols(owned.begin, owned.size()));
    }
    axis.sum(numbers(sums_x_));
    axis.sum(numbers(sum_y_));
    axis.sum(numbers(squares_y_));
    result.sums_x_ = sums_x_;
    result.sum_y_ = sum_y_.segment(owned.begin, owned.size());
    result.squares_y_ = squares_y_.segment(owned.begin, owned.size());
    result.interior_rows_ = axis.sum(std::int64_t{interior_rows_});
    result.edges_ = gather_edges(axis, owned);
  }

 private:
  static constexpr Index piece_rows = 512;

  std::vector<Edges> gather_edges(const parallel::Communicator& axis, Range owned) const {
    Packer packer;
    for (const auto& e : edges_) {
      for (const Index value : {e.block, e.feature_rows, e.lowest, e.times.begin, e.times.end,
                                e.interior.begin, e.interior.end, e.tail_begin}) {
        packer.put(value);
      }
      for (const MatrixD* matrix : {&e.head_x, &e.tail_x, &e.head_y, &e.tail_y}) packer.put(*matrix);
    }
    const auto numbers_of_all = axis.gather(packer.numbers());
    std::vector<Edges> all;
    for (Unpacker from(numbers_of_all); !from.done();) {
      Edges e;
      e.block = from.index();
      e.feature_rows = from.index();
      e.lowest = from.index();
      e.times.begin = from.index();
      e.times.end = from.index();
      e.interior.begin = from.index();
      e.interior.end = from.index();
      e.tail_begin = from.index();
      e.head_x = from.matrix();
      e.tail_x = from.matrix();
      e.head_y = from.matrix().middleCols(owned.begin, owned.size());
      e.tail_y = from.matrix().middleCols(owned.begin, owned.size());
      all.push_back(std::move(e));
    }
    // The order of a sum must not depend on which rank had which run.
    std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.block < b.block; });
    return all;
  }

  const std::vector<Index>& delays_;
  const std::vector<Index>& differences_;
  bool has_gram_;
  linalg::GramSum gram_;
  std::vector<linalg::ProductSum> autos_, crosses_;
  MatrixD sums_x_;
  VectorD sum_y_, squares_y_;
  Index interior_rows_ = 0;
  std::vector<Edges> edges_;
};

namespace {

template <class Scalar>
void stream_runs(const LaggedSource& x, const BlockSource& y, const std::vector<Index>& group_of,
                 const RidgeProblem& problem, const std::vector<Index>& delays, const VectorD& shift_x,
                 const VectorD& shift_y, std::vector<LaggedAccumulator>& groups) {
  const Index part = problem.grid().target_part(), parts = problem.grid().target_parts();
  stream_ahead(
      problem, [&](Index block) { return read_run<Scalar>(x, y, block, problem.grid().targets_local()); },
      [&](Index block, Run<Scalar> run) {
        LaggedAccumulator& group =
            groups[static_cast<std::size_t>(group_of[static_cast<std::size_t>(block)])];
        LaggedAccumulator::Edges place;
        place.block = block;
        place.feature_rows = run.x.rows();
        place.lowest = x.lowest();
        place.times = x.times(block);
        place.interior = interior_times(place.times, place.feature_rows, place.lowest, delays);
        subtract_from_rows(run.y, shift_y);
        group.keep_edges(run, place);
        subtract_from_rows(run.x, shift_x);
        group.add(run, place.times.begin, place.interior, block, part, parts);
      });
}

VectorD first_means(const RidgeProblem& problem, const parallel::Communicator& axis, Index columns,
                    const std::function<MatrixD(Index)>& read) {
  Index block = 0;
  while (problem.rows(block) == 0) ++block;
  VectorD means = VectorD::Zero(columns);
  parallel::agree(problem.comm(), [&] {
    constexpr Index enough_rows = 256;
    if (!axis.root()) return;
    const MatrixD rows = read(block);
    means = column_means(rows.topRows(std::min(enough_rows, rows.rows())));
  });
  axis.broadcast(numbers(means));
  return means;
}

}  // namespace

std::vector<LaggedStatistics> LaggedStatistics::accumulate(const LaggedSource& x, const BlockSource& y,
                                                           const std::vector<Index>& group_of, Index groups,
                                                           const parallel::Communicator& comm,
                                                           Wanted wanted) {
  const RidgeProblem problem(x, y, comm);
  const bool single = wanted.single && x.single_precision() && y.single_precision();
  const Range targets = problem.grid().targets_local();
  LaggedStatistics shape;
  shape.delays_ = ascending(x.design().delays());
  shape.differences_ = differences_of(shape.delays_);
  shape.components_ = x.components();
  shape.has_gram_ = wanted.gram;
  shape.shift_x_ = representable(
      first_means(problem, comm, x.components(), [&](Index block) { return x.features(block); }), single);
  const VectorD shift_y = representable(first_means(problem, problem.grid().run_axis(), targets.size(),
                                                    [&](Index block) { return y.read(block, targets); }),
                                        single);
  const Range owned = problem.owned();
  shape.shift_y_ = shift_y.segment(owned.begin, owned.size());

  std::vector<LaggedAccumulator> sums;
  sums.reserve(static_cast<std::size_t>(groups));
  for (Index g = 0; g < groups; ++g) sums.emplace_back(shape, targets.size());
  const auto stream = single ? stream_runs<float> : stream_runs<double>;
  stream(x, y, group_of, problem, shape.delays_, shape.shift_x_, shift_y, sums);

  std::vector<LaggedStatistics> result(static_cast<std::size_t>(groups), shape);
  for (std::size_t g = 0; g < result.size(); ++g) sums[g].finish(result[g], problem);
  return result;
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
  const Index span = delays_.back() - delays_.front();
  const VectorD shift = shift_x_.head(k);
  RowPairs added(static_cast<Index>(edges_.size()) * span, k),
      removed(2 * static_cast<Index>(edges_.size()) * span, k);
  for (auto& [difference, olders] : diagonals) {
    MatrixD block =
        auto_products_[position(differences_, difference, "difference of delays")].topLeftCorner(k, k);
    // The sum over rows s = t - d of all interior TRs t, from the one over every row that some delay reaches.
    Index reached = delays_.back();
    bool first = true;
    for (const Index d : olders) {
      for (const auto& e : edges_) {
        const auto [a, b] = std::pair{e.interior.begin, e.interior.end};
        if (e.interior.empty()) continue;
        const Index offset = e.tail_begin;
        if (first) {
          removed.put(e.head_x, {a - delays_.back(), a - d}, difference, shift);
          removed.put(e.tail_x, {b - d - offset, b - delays_.front() - difference - offset}, difference,
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
      gram.block(column_of(d), column_of(d - difference), k, k) = block;
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
    if (has_gram_) linalg::add_gram(some_x, statistics.gram);
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
  for (const auto& e : edges_) {
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
  if (k < 1 || k > components_) {
    throw Error(fmt::format("internal: statistics of {} components, but {} are wanted", components_, k));
  }
  const auto& delays = design.delays();
  Statistics result{.rows = interior_rows_,
                    .shift_x = shift_x_.head(k).replicate(static_cast<Index>(delays.size()), 1),
                    .shift_y = shift_y_,
                    .sum_x = VectorD(design.columns(k)),
                    .sum_y = sum_y_,
                    .squares_y = squares_y_};
  for (std::size_t i = 0; i < delays.size(); ++i) {
    const auto at = static_cast<Index>(position(delays_, delays[i], "delay"));
    result.sum_x.segment(static_cast<Index>(i) * k, k) = sums_x_.row(at).head(k).transpose();
  }
  return result;
}

Statistics LaggedStatistics::assemble(const Design& design, Index components) const {
  Statistics result = without_products(design, components);
  const auto& delays = design.delays();
  result.cross = MatrixD(result.columns(), result.targets());
  for (std::size_t i = 0; i < delays.size(); ++i) {
    result.cross.middleRows(static_cast<Index>(i) * components, components) =
        cross_products_[position(delays_, delays[i], "delay")].topRows(components);
  }
  if (has_gram_) {
    result.gram = MatrixD::Zero(result.columns(), result.columns());
    add_inner_gram(design, components, result.gram);
  }
  add_edge_rows(design, components, result);
  if (has_gram_) linalg::mirror_upper(result.gram);
  return result;
}

Statistics LaggedStatistics::take(const Design& design) && {
  if (delays_.size() > 1 || design.delays() != delays_) return assemble(design, components_);
  Statistics result = without_products(design, components_);
  result.cross = std::move(cross_products_[0]);
  if (has_gram_) result.gram = std::move(auto_products_[0]);
  add_edge_rows(design, components_, result);
  if (has_gram_) linalg::mirror_upper(result.gram);
  return result;
}

}  // namespace cinecortex::encoding
