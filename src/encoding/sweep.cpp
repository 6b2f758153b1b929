#include "cinecortex/encoding/sweep.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <optional>
#include <set>
#include <utility>

#include "cinecortex/core/clock.hpp"
#include "cinecortex/core/error.hpp"
#include "cinecortex/core/interrupt.hpp"
#include "cinecortex/core/log.hpp"
#include "cinecortex/encoding/ridge_path.hpp"
#include "cinecortex/linalg/distributed_eigen.hpp"
#include "cinecortex/parallel/agree.hpp"
#include "columns.hpp"
#include "leave_out.hpp"

namespace cinecortex::encoding {
namespace {

/// From this many columns on, all ranks decompose one fold together instead of one each.
constexpr Index together_from = 4000;

/// One point's statistics, by group and of all rows.
struct Assembled {
  std::vector<Statistics> groups;
  Statistics total;
  CentredStatistics without(std::size_t group) const {
    Statistics train = total;
    train -= groups[group];
    return centre(std::move(train));
  }
};

/// One fit: a point with one group left out.
struct Task {
  std::size_t point, group;
};

bool resolved_by_single(const RidgePath& path, Index columns) {
  constexpr double least = 1e-6;
  return path.rank() == columns && path.values()[0] >= least * path.values()[columns - 1];
}

/// Sums over folds of what a point reached at every alpha.
struct Curves {
  MatrixD r, r2;  ///< [A, t_local]
  Index folds = 0, rows = 0;
  bool left_out = false;
  double seconds = 0;
};

class Sweeper {
 public:
  Sweeper(const std::vector<LaggedStatistics>& groups, const std::vector<SweepPoint>& points,
          const SweepOptions& options, const parallel::Communicator& comm)
      : groups_(groups), points_(points), options_(options), comm_(comm), curves_(points.size()) {}

  std::vector<SweepScore> run(const std::function<void(Index)>& done) {
    std::vector<SweepScore> scores(points_.size());
    const auto order = largest_first();
    std::vector<Task> tasks;
    for (const std::size_t point : order) {
      for (std::size_t group = 0; group < groups_.size(); ++group) tasks.push_back({point, group});
    }
    Index finished = 0;
    for (std::size_t begin = 0; begin < tasks.size();) {
      const std::size_t end = wave_end(tasks, begin);
      const auto wave = std::span(tasks).subspan(begin, end - begin);
      run_wave(wave);
      begin = end;
      for (const Task& task : wave) {
        if (task.group + 1 < groups_.size()) continue;
        scores[task.point] = score(task.point);
        if (done) done(++finished);
      }
    }
    return scores;
  }

 private:
  /// Large points first, so that the tasks of a wave are of nearly equal size.
  std::vector<std::size_t> largest_first() const {
    std::vector<std::size_t> order(points_.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      return points_[a].columns() > points_[b].columns();
    });
    return order;
  }

  bool decomposed_together(const Task& task) const {
    return comm_.size() > 1 && points_[task.point].columns() >= together_from;
  }

  std::size_t wave_end(const std::vector<Task>& tasks, std::size_t begin) const {
    if (decomposed_together(tasks[begin])) return begin + 1;
    return std::min(tasks.size(), begin + static_cast<std::size_t>(comm_.size()));
  }

  const Assembled& assembled(std::size_t point) {
    if (held_ && held_point_ == point) return *held_;
    held_.reset();
    Assembled all;
    for (const auto& group : groups_) {
      all.groups.push_back(group.assemble(points_[point].design, points_[point].components));
      if (all.groups.size() == 1) {
        all.total = all.groups.front();
      } else {
        all.total += all.groups.back();
      }
    }
    check_folds(all, points_[point]);
    held_ = std::move(all);
    held_point_ = point;
    return *held_;
  }

  static void check_folds(const Assembled& all, const SweepPoint& point) {
    const auto usable = std::count_if(all.groups.begin(), all.groups.end(),
                                      [](const Statistics& group) { return group.rows > 0; });
    if (usable < 2) {
      throw InputError(
          fmt::format("{} of {} folds have rows that delays up to {} TRs can serve; at least 2 are needed",
                      usable, all.groups.size(), point.design.delays().front()));
    }
    for (const auto& group : all.groups) {
      if (all.total.rows - group.rows >= 2) continue;
      throw InputError(
          fmt::format("a fold leaves {} rows to fit; at least 2 are needed", all.total.rows - group.rows));
    }
  }

  void run_wave(std::span<const Task> wave) {
    const Stopwatch clock;
    const auto rank = static_cast<std::size_t>(comm_.rank());
    const bool together = decomposed_together(wave.front());
    linalg::EigenPairs mine = parallel::agree(comm_, [&] {
      interrupt::check();
      return !together && rank < wave.size() ? decompose(wave[rank]) : linalg::EigenPairs{};
    });
    if (together) mine = decompose_together(wave.front());
    const double share = clock.seconds() / static_cast<double>(wave.size());
    for (std::size_t i = 0; i < wave.size(); ++i) {
      const Stopwatch evaluation;
      const auto pairs =
          together || comm_.size() == 1 ? std::move(mine) : handed_out(wave[i], mine, static_cast<int>(i));
      parallel::agree(comm_, [&] { evaluate(wave[i], pairs); });
      curves_[wave[i].point].seconds += share + evaluation.seconds();
    }
  }

  linalg::EigenPairs decompose(const Task& task) {
    const auto& all = assembled(task.point);
    if (all.groups[task.group].rows == 0 || curves_[task.point].left_out) return {};
    if (comm_.size() > 1) return linalg::eigh(all.without(task.group).gram);
    // Alone, this very fit is what comes next.
    train_ = all.without(task.group);
    return linalg::eigh(train_->gram);
  }

  linalg::EigenPairs decompose_together(const Task& task) {
    const MatrixD gram =
        parallel::agree(comm_, [&] { return assembled(task.point).without(task.group).gram; });
    return linalg::eigh(gram, comm_);
  }

  /// Rank `owner`'s eigenpairs, on every rank.
  linalg::EigenPairs handed_out(const Task& task, linalg::EigenPairs& mine, int owner) {
    linalg::EigenPairs pairs;
    if (comm_.rank() == owner) pairs = std::move(mine);
    const Index p = comm_.max(std::int64_t{pairs.values.size()});
    parallel::agree(comm_, [&] {
      if (pairs.values.size() == p) return;
      pairs = {VectorD(p), MatrixD(p, p)};
    });
    if (p > 0 && p != points_[task.point].columns()) throw Error("internal: eigenpairs of another point");
    comm_.broadcast(numbers(pairs.values), owner);
    comm_.broadcast(numbers(pairs.vectors), owner);
    return pairs;
  }

  void evaluate(const Task& task, const linalg::EigenPairs& pairs) {
    const auto& all = assembled(task.point);
    const Statistics& test = all.groups[task.group];
    Curves& curves = curves_[task.point];
    if (test.rows == 0 || curves.left_out) return;
    const RidgePath path(train_ ? *std::exchange(train_, std::nullopt) : all.without(task.group), pairs);
    if (options_.only_resolved_by_single && !resolved_by_single(path, points_[task.point].columns())) {
      curves.left_out = true;
      return;
    }
    const HeldOut result = held_out(path, test, options_.alphas);
    if (curves.folds == 0) {
      curves.r = result.r;
      curves.r2 = result.r2;
    } else {
      curves.r += result.r;
      curves.r2 += result.r2;
    }
    curves.rows += test.rows;
    ++curves.folds;
  }

  SweepScore score(std::size_t point) {
    Curves curves = std::move(curves_[point]);
    if (curves.left_out) return {.left_out = true, .seconds = comm_.max(curves.seconds)};
    curves.r /= static_cast<double>(curves.folds);
    curves.r2 /= static_cast<double>(curves.folds);
    const Index targets = curves.r2.cols();
    SweepScore result{.rows = curves.rows,
                      .r = VectorD(targets),
                      .r2 = VectorD(targets),
                      .alpha = choose(options_.measure == "r" ? curves.r : curves.r2),
                      .seconds = comm_.max(curves.seconds)};
    for (Index v = 0; v < targets; ++v) {
      const auto chosen = std::find(options_.alphas.begin(), options_.alphas.end(), result.alpha[v]);
      const auto a = static_cast<Index>(chosen - options_.alphas.begin());
      result.r[v] = curves.r(a, v);
      result.r2[v] = curves.r2(a, v);
    }
    return result;
  }

  VectorD choose(const MatrixD& curve) const {
    VectorD alpha(curve.cols());
    if (options_.per_target) {
      for (Index v = 0; v < curve.cols(); ++v)
        alpha[v] = choose_alpha(curve.col(v), options_.alphas, Better::higher);
      return alpha;
    }
    VectorD mean = curve.rowwise().sum();
    comm_.sum(numbers(mean));
    mean /= static_cast<double>(std::max<std::int64_t>(1, comm_.sum(std::int64_t{curve.cols()})));
    alpha.setConstant(choose_alpha(mean, options_.alphas, Better::higher));
    return alpha;
  }

  const std::vector<LaggedStatistics>& groups_;
  const std::vector<SweepPoint>& points_;
  const SweepOptions& options_;
  const parallel::Communicator& comm_;
  std::vector<Curves> curves_;
  std::optional<Assembled> held_;
  std::optional<CentredStatistics> train_;  ///< of the fit decomposed last, on one rank
  std::size_t held_point_ = 0;
};

}  // namespace

std::vector<SweepScore> sweep(const std::vector<LaggedStatistics>& groups,
                              const std::vector<SweepPoint>& points, const SweepOptions& options,
                              const parallel::Communicator& comm, const std::function<void(Index)>& done) {
  return Sweeper(groups, points, options, comm).run(done);
}

std::vector<SweepScore> sweep(const LaggedSource& x, const BlockSource& y, const std::vector<Index>& group_of,
                              Index groups, const std::vector<SweepPoint>& points,
                              const SweepOptions& options, const parallel::Communicator& comm,
                              const std::function<void(Index)>& done) {
  const auto sums = [&](bool single) {
    return LaggedStatistics::accumulate(x, y, group_of, groups, comm, {.single = single});
  };
  return sweep(sums, x.single_precision() && y.single_precision(), points, options, comm, done);
}

std::vector<SweepScore> sweep(const GroupSums& sums, bool single, const std::vector<SweepPoint>& points,
                              const SweepOptions& options, const parallel::Communicator& comm,
                              const std::function<void(Index)>& done) {
  SweepOptions careful = options;
  careful.only_resolved_by_single = single;
  auto scores = sweep(sums(single), points, careful, comm, done);
  std::vector<SweepPoint> again;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (scores[i].left_out) again.push_back(points[i]);
  }
  if (again.empty()) return scores;
  if (comm.root()) {
    log::info(
        "sweep: {} of {} configurations have directions of a variance below 1e-6 of the largest: adding up "
        "again in "
        "float64",
        again.size(), points.size());
  }
  auto redone = sweep(sums(false), again, options, comm);
  std::size_t next = 0;
  for (auto& score : scores) {
    if (!score.left_out) continue;
    redone[next].seconds += score.seconds;
    score = std::move(redone[next++]);
  }
  return scores;
}

double sweep_bytes(const std::vector<SweepPoint>& points, Index groups, Index targets_local) {
  std::set<Index> delays, differences;
  Index components = 0, columns = 0;
  for (const auto& point : points) {
    delays.insert(point.design.delays().begin(), point.design.delays().end());
    components = std::max(components, point.components);
    columns = std::max(columns, point.columns());
  }
  for (const Index d : delays) {
    for (const Index e : delays) differences.insert(std::abs(d - e));
  }
  const auto t = static_cast<double>(targets_local), f = static_cast<double>(groups);
  const auto k = static_cast<double>(components), p = static_cast<double>(columns);
  const double sums =
      static_cast<double>(differences.size()) * k * k + static_cast<double>(delays.size()) * k * t;
  // While sums grow there is a float32 copy beside each; afterwards one point's statistics stand beside them.
  return std::max(12 * f * sums, 8 * (f * sums + (f + 6) * p * p + (f + 4) * p * t));
}

}  // namespace cinecortex::encoding
