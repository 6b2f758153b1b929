#include <algorithm>
#include <utility>

#include "cinecortex/core/error.hpp"
#include "cinecortex/encoding/lagged_statistics.hpp"
#include "cinecortex/linalg/product_sum.hpp"
#include "columns.hpp"
#include "read_ahead.hpp"
#include "ridge_problem.hpp"
#include "run_batches.hpp"

namespace cinecortex::encoding {
namespace {

std::vector<Index> ascending(std::vector<Index> delays) {
  std::sort(delays.begin(), delays.end());
  return delays;
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

/// One group's sums on this rank, while they grow.
class LaggedAccumulator {
 public:
  using Edges = LaggedSums::Edges;

  /// @param shape  delays and components; it outlives the accumulator
  LaggedAccumulator(const LaggedSums& shape, bool with_gram, Index targets)
      : delays_(shape.delays),
        differences_(delay_differences(delays_)),
        has_gram_(with_gram),
        gram_(has_gram_ ? shape.components : 0),
        sums_x_(MatrixD::Zero(static_cast<Index>(delays_.size()), shape.components)),
        sum_y_(VectorD::Zero(targets)),
        squares_y_(VectorD::Zero(targets)) {
    for (std::size_t i = 1; has_gram_ && i < differences_.size(); ++i)
      autos_.emplace_back(shape.components, shape.components);
    for (std::size_t i = 0; i < delays_.size(); ++i) crosses_.emplace_back(shape.components, targets);
  }

  /// @param piece_rows     longer runs are cut, for the products of features
  /// @param part of parts  the share of these products, and of the features' sums, that this rank takes over, in pieces
  ///                       that do not depend on the number of ranks, and so round alike; `turn` begins with another rank
  ///                       each batch
  template <class Scalar>
  void add(const Run<Scalar>& run, Index first_time, Range interior, Index piece_rows, Index turn, Index part,
           Index parts) {
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
        const bool whole = count <= piece_rows;
        if (i == 0) {
          gram_.add(now);
          if (!whole) gram_.settle();
        } else {
          autos_[i - 1].add(now, run.x.middleRows(begin + differences_[i], size));
          if (!whole) autos_[i - 1].settle();
        }
      }
    }
    const auto y = run.y.middleRows(interior.begin - first_time, interior.size());
    for (std::size_t i = 0; i < delays_.size(); ++i) {
      const auto x = run.x.middleRows(interior.begin - delays_[i], interior.size());
      crosses_[i].add(x, y);
      if (turn % parts != part) continue;
      VectorD sums = VectorD::Zero(x.cols());
      add_column_sums(x, sums);
      sums_x_.row(static_cast<Index>(i)) += sums.transpose();
    }
    add_column_sums(y, sum_y_, squares_y_);
    interior_rows_ += interior.size();
  }

  /// At the end of a batch.
  void settle() {
    gram_.settle();
    for (auto& product : autos_) product.settle();
    for (auto& product : crosses_) product.settle();
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
  void finish(LaggedSums& result, const RidgeProblem& problem) {
    const auto& axis = problem.grid().run_axis();
    const Range owned = problem.owned();
    if (has_gram_) {
      MatrixD gram = gram_.take();
      linalg::sum_symmetric(gram, problem.comm());
      result.auto_products.push_back(std::move(gram));
    }
    for (auto& product : autos_) {
      MatrixD sum = product.take();
      problem.comm().sum(numbers(sum));
      result.auto_products.push_back(std::move(sum));
    }
    for (auto& product : crosses_) {
      MatrixD sum = product.take();
      axis.sum(numbers(sum));
      const bool all_owned = owned.size() == sum.cols();
      result.cross_products.push_back(all_owned ? std::move(sum)
                                                : MatrixD(sum.middleCols(owned.begin, owned.size())));
    }
    problem.comm().sum(numbers(sums_x_));
    axis.sum(numbers(sum_y_));
    axis.sum(numbers(squares_y_));
    result.sums_x = sums_x_;
    result.sum_y = sum_y_.segment(owned.begin, owned.size());
    result.squares_y = squares_y_.segment(owned.begin, owned.size());
    result.interior_rows = axis.sum(std::int64_t{interior_rows_});
    result.edges = gather_edges(axis, owned);
  }

 private:
  std::vector<Edges> gather_edges(const parallel::Communicator& axis, Range owned) {
    if (axis.size() == 1) return sorted(std::move(edges_));  // who shares targets with nobody owns them
    Packer packer;
    for (const auto& e : std::exchange(edges_, {})) {
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
    return sorted(std::move(all));
  }

  /// The order of a sum must not depend on which rank had which run.
  static std::vector<Edges> sorted(std::vector<Edges> edges) {
    std::sort(edges.begin(), edges.end(), [](const auto& a, const auto& b) { return a.block < b.block; });
    return edges;
  }

  const std::vector<Index>& delays_;
  std::vector<Index> differences_;
  bool has_gram_;
  linalg::GramSum gram_;
  std::vector<linalg::ProductSum> autos_, crosses_;
  MatrixD sums_x_;
  VectorD sum_y_, squares_y_;
  Index interior_rows_ = 0;
  std::vector<Edges> edges_;
};

/// A batch is closed once it has so many rows: enough for products near gemm's rate, few enough that a small study has
/// batches to deal.
Index batch_rows(const RidgeProblem& problem) {
  return std::clamp<Index>(problem.rows() / 32, 512, linalg::most_rows_of_float32);
}

/// This rank's runs, those of one group and season in batches: adding a product to a float64 sum takes as long as
/// multiplying a hundred rows. For products in float64 each run by itself.
std::vector<RunBatch> batches_local(const LaggedSource& x, const std::vector<Index>& group_of, Index groups,
                                    bool single, const RidgeProblem& problem) {
  std::vector<Index> rows, labels;
  for (Index block = 0; block < problem.blocks(); ++block) {
    rows.push_back(problem.rows(block));
    labels.push_back(x.season(block) * groups + group_of[static_cast<std::size_t>(block)]);
  }
  return batches_of_part(rows, labels, single ? batch_rows(problem) : 1, linalg::most_rows_of_float32,
                         problem.grid().run_part(), problem.grid().run_parts());
}

template <class Scalar>
void stream_runs(const LaggedSource& x, const BlockSource& y, const std::vector<Index>& group_of,
                 const RidgeProblem& problem, const std::vector<Index>& delays, const VectorD& shift_x,
                 const VectorD& shift_y, std::vector<LaggedAccumulator>& groups) {
  const Index part = problem.grid().target_part(), parts = problem.grid().target_parts();
  const Index piece_rows = batch_rows(problem);
  const auto batches = batches_local(x, group_of, std::ssize(groups), std::is_same_v<Scalar, float>, problem);
  parallel::agree(problem.comm(), [&] {
    ReadAhead ahead(blocks_of(batches), [&](Index block) {
      return read_run<Scalar>(x, y, block, problem.grid().targets_local());
    });
    for (const RunBatch& batch : batches) {
      const Index of = group_of[static_cast<std::size_t>(batch.blocks.front())];
      LaggedAccumulator& group = groups[static_cast<std::size_t>(of)];
      for (const Index block : batch.blocks) {
        Run<Scalar> run = ahead.next();
        LaggedAccumulator::Edges place;
        place.block = block;
        place.feature_rows = run.x.rows();
        place.lowest = x.lowest();
        place.times = x.times(block);
        place.interior = interior_times(place.times, place.feature_rows, place.lowest, delays);
        subtract_from_rows(run.y, shift_y);
        group.keep_edges(run, place);
        subtract_from_rows(run.x, shift_x);
        group.add(run, place.times.begin, place.interior, piece_rows, batch.number, part, parts);
      }
      group.settle();
    }
  });
}

/// The means of the first rows, or zeros where they are below half of the spread: sums about zero then lose as little.
VectorD worthwhile_shift(const MatrixD& first_rows, bool all_or_none) {
  const VectorD means = column_means(first_rows);
  const auto n = static_cast<double>(first_rows.rows());
  const VectorD variances = (first_rows.rowwise() - means.transpose()).colwise().squaredNorm() / n;
  const Eigen::Array<bool, Eigen::Dynamic, 1> large = 4 * means.array().square() > variances.array();
  if (all_or_none) return large.any() ? means : VectorD(VectorD::Zero(means.size()));
  return large.select(means, 0.0);
}

/// Of features all are shifted or none, for what rounds is the matrix of them all; each target by itself, so that it does
/// not matter which others a rank has.
VectorD first_shift(const RidgeProblem& problem, const parallel::Communicator& axis, Index columns,
                    bool all_or_none, const std::function<MatrixD(Index block, Range rows)>& read) {
  Index block = 0;
  while (problem.rows(block) == 0) ++block;
  VectorD shift = VectorD::Zero(columns);
  parallel::agree(problem.comm(), [&] {
    constexpr Index enough_rows = 256;
    if (axis.root())
      shift = worthwhile_shift(read(block, {0, std::min(enough_rows, problem.rows(block))}), all_or_none);
  });
  axis.broadcast(numbers(shift));
  return shift;
}

}  // namespace

Index edge_rows(const std::vector<Index>& delays, Index runs) {
  const auto [least, most] = std::minmax_element(delays.begin(), delays.end());
  return runs * (std::max<Index>(*most, 0) + std::max<Index>(-*least, 0));
}

double edge_bytes(Index edge_rows, Index components, double column, Index run_parts) {
  // Ranks that share targets pack theirs, receive those of all, and unpack them.
  const double copies = run_parts > 1 ? 3 : 1;
  return 8 * copies * static_cast<double>(edge_rows) * (column + 2 * static_cast<double>(components));
}

std::vector<LaggedStatistics> LaggedStatistics::accumulate(const LaggedSource& x, const BlockSource& y,
                                                           const std::vector<Index>& group_of, Index groups,
                                                           const parallel::Communicator& comm,
                                                           Wanted wanted) {
  const RidgeProblem problem(x, y, comm);
  const bool single = wanted.single && x.single_precision() && y.single_precision();
  const Range targets = problem.grid().targets_local();
  LaggedSums shape;
  shape.delays = ascending(x.design().delays());
  shape.components = x.components();
  const auto first_features = [&](Index block, Range rows) { return x.first_features(block, rows.end); };
  shape.shift_x = representable(first_shift(problem, comm, x.components(), true, first_features), single);
  const auto first_responses = [&](Index block, Range rows) { return y.read_rows(block, rows, targets); };
  const VectorD shift_y = representable(
      first_shift(problem, problem.grid().run_axis(), targets.size(), false, first_responses), single);
  const Range owned = problem.owned();
  shape.shift_y = shift_y.segment(owned.begin, owned.size());

  std::vector<LaggedAccumulator> sums;
  sums.reserve(static_cast<std::size_t>(groups));
  for (Index g = 0; g < groups; ++g) sums.emplace_back(shape, wanted.gram, targets.size());
  const auto stream = single ? stream_runs<float> : stream_runs<double>;
  stream(x, y, group_of, problem, shape.delays, shape.shift_x, shift_y, sums);

  std::vector<LaggedStatistics> result;
  for (auto& group : sums) {
    LaggedSums finished = shape;
    group.finish(finished, problem);
    result.emplace_back(std::move(finished));
  }
  return result;
}

}  // namespace cinecortex::encoding
