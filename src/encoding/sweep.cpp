#include "cinecortex/encoding/sweep.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>
#include <numeric>
#include <optional>
#include <set>
#include <span>
#include <utility>

#include "cinecortex/core/clock.hpp"
#include "cinecortex/core/error.hpp"
#include "cinecortex/core/log.hpp"
#include "cinecortex/encoding/held_out.hpp"
#include "cinecortex/parallel/agree.hpp"
#include "cinecortex/parallel/grid.hpp"
#include "columns.hpp"
#include "decompose_each.hpp"
#include "leave_out.hpp"

namespace cinecortex::encoding {
namespace {

/// What fits side by side may take.
constexpr double most_bytes = 1 << 30;

/// One point's statistics, by group and of all rows.
struct Assembled {
  std::vector<Statistics> groups;
  Statistics total;
};

/// One fit: a point with one group left out.
struct Task {
  std::size_t point, group;
};

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
    std::vector<Task> tasks;
    for (const std::size_t point : largest_first()) {
      for (std::size_t group = 0; group < groups_.size(); ++group) tasks.push_back({point, group});
    }
    Index finished = 0;
    for (std::size_t begin = 0; begin < tasks.size();) {
      const Index columns = points_[tasks[begin].point].columns();
      const Index at_once = side_by_side(columns, groups_.front().targets(), most_bytes, comm_);
      const std::size_t wave_size =
          std::min(tasks.size() - begin, static_cast<std::size_t>(at_once * comm_.size()));
      const auto wave = std::span(tasks).subspan(begin, wave_size);
      run_wave(wave, columns, at_once);
      begin += wave_size;
      for (const Task& task : wave) {
        if (task.group + 1 < groups_.size()) continue;
        scores[task.point] = score(task.point);
        if (done) done(++finished);
      }
    }
    return scores;
  }

 private:
  using Wave = std::span<const Task>;

  /// Large points first, so that the tasks of a wave are of nearly equal size.
  std::vector<std::size_t> largest_first() const {
    std::vector<std::size_t> order(points_.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      return points_[a].columns() > points_[b].columns();
    });
    return order;
  }

  void run_wave(Wave wave, Index columns, Index at_once) {
    const Stopwatch clock;
    parallel::agree(comm_, [&] {
      if (comm_.size() == 1) hold(wave, at_once);
    });
    decompose_each(
        std::ssize(wave), columns, at_once,
        [&](Index i) { return gram_of(wave[static_cast<std::size_t>(i)]); }, comm_,
        [&](Index first, std::vector<linalg::EigenPairs> pairs) {
          parallel::agree(comm_, [&] {
            evaluate(wave.subspan(static_cast<std::size_t>(first), pairs.size()), pairs, at_once);
          });
        });
    for (const Task& task : wave) {
      curves_[task.point].seconds += clock.seconds() / static_cast<double>(wave.size());
    }
  }

  MatrixD gram_of(const Task& task) {
    const auto all = assembled(task.point);
    if (all->groups[task.group].rows == 0 || curves_[task.point].left_out) return {};
    return CentredStatistics(all->total, all->groups[task.group]).gram();
  }

  /// Adds what the tasks' fits reach on their held-out groups to their points' curves.
  void evaluate(Wave tasks, const std::vector<linalg::EigenPairs>& pairs, Index at_once) {
    hold(tasks, at_once);
    std::vector<std::optional<HeldOut>> results(tasks.size());
    for_each_of(std::ssize(tasks), at_once, [&](Index i) {
      const auto at = static_cast<std::size_t>(i);
      results[at] = held_out_of(tasks[at], pairs[at]);
    });
    for (std::size_t i = 0; i < tasks.size(); ++i) {
      if (pairs[i].values.size() > 0) add(tasks[i], results[i]);
    }
  }

  /// Nothing where the fit is not resolved, or left out.
  std::optional<HeldOut> held_out_of(const Task& task, const linalg::EigenPairs& pairs) {
    if (pairs.values.size() == 0) return {};
    const auto all = assembled(task.point);
    const Statistics& group = all->groups[task.group];
    const CentredStatistics rest(all->total, group);
    const RidgeAxes axes(rest, pairs);
    const bool single = options_.only_resolved_by_single;
    if (single && !resolved_by_single(axes.values(), axes.columns())) return {};
    return held_out(axes, rest, group, options_.alphas, single ? Products::single : Products::whole);
  }

  void add(const Task& task, const std::optional<HeldOut>& result) {
    Curves& curves = curves_[task.point];
    curves.left_out = curves.left_out || !result;
    if (curves.left_out) return;
    if (curves.folds == 0) {
      curves.r = result->r;
      curves.r2 = result->r2;
    } else {
      curves.r += result->r;
      curves.r2 += result->r2;
    }
    curves.rows += assembled(task.point)->groups[task.group].rows;
    ++curves.folds;
  }

  /// Keeps the statistics of the tasks' points, and no others.
  void hold(Wave tasks, Index at_once) {
    std::set<std::size_t> wanted;
    for (const Task& task : tasks) wanted.insert(task.point);
    std::erase_if(held_, [&](const auto& each) { return !wanted.contains(each.first); });
    for (const std::size_t point : wanted) {
      if (!held_.contains(point)) held_[point] = assemble(point, at_once);
    }
  }

  std::shared_ptr<const Assembled> assembled(std::size_t point) {
    const std::lock_guard lock(mutex_);
    auto& held = held_[point];
    if (!held) held = assemble(point, 1);
    return held;
  }

  std::shared_ptr<const Assembled> assemble(std::size_t point, Index at_once) const {
    auto all = std::make_shared<Assembled>();
    all->groups.resize(groups_.size());
    for_each_of(std::ssize(groups_), at_once, [&](Index i) {
      const auto group = static_cast<std::size_t>(i);
      all->groups[group] = groups_[group].assemble(points_[point].design, points_[point].components);
    });
    all->total = sum_of(all->groups);
    check_folds(*all, points_[point]);
    return all;
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
    comm_.broadcast(numbers(mean));
    mean /= static_cast<double>(std::max<std::int64_t>(1, comm_.sum(std::int64_t{curve.cols()})));
    alpha.setConstant(choose_alpha(mean, options_.alphas, Better::higher));
    return alpha;
  }

  const std::vector<LaggedStatistics>& groups_;
  const std::vector<SweepPoint>& points_;
  const SweepOptions& options_;
  const parallel::Communicator& comm_;
  std::vector<Curves> curves_;
  std::map<std::size_t, std::shared_ptr<const Assembled>> held_;  ///< by point
  std::mutex mutex_;  ///< of held_, while fits are decomposed side by side
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

double sweep_bytes(const std::vector<SweepPoint>& points, const SweepShape& shape) {
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
  const Index local = partition(shape.targets, shape.ranks, 0).size();
  const Index run_parts = parallel::run_parts(static_cast<int>(shape.ranks), shape.targets);
  const auto t = static_cast<double>(local), f = static_cast<double>(shape.groups);
  const double column = t * static_cast<double>(run_parts);
  const auto k = static_cast<double>(components), p = static_cast<double>(columns);
  const auto d = static_cast<double>(delays.size());
  const double autos = static_cast<double>(differences.size()) * k * k;
  const Index at_edges = edge_rows({delays.begin(), delays.end()}, shape.runs);
  const auto fits = static_cast<double>(side_by_side(columns, local, most_bytes));
  // While sums grow there is a float32 copy beside each, and the runs that are read; afterwards one point's statistics.
  const double summing = 12 * f * (autos + d * k * column) +
                         edge_bytes(at_edges, components, column, run_parts) +
                         24 * static_cast<double>(shape.run_rows) * (k + column);
  const double evaluating = 8 * (f * (autos + d * k * t) + (f + 1) * p * (p + t)) +
                            edge_bytes(at_edges, components, t, 1) + fits * fit_bytes(columns, local);
  return std::max(summing, evaluating);
}

}  // namespace cinecortex::encoding
