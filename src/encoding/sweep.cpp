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
#include "cinecortex/core/interrupt.hpp"
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

/// The statistics of some delays, by group and of all rows. They serve any number of components.
struct Assembled {
  Index components;
  std::vector<Statistics> groups;
  Statistics total;
};

/// Points of the same delays, in their order.
using Nest = std::vector<std::size_t>;

std::vector<Nest> nests_of(const std::vector<SweepPoint>& points, const std::vector<std::size_t>& order) {
  std::map<std::pair<std::vector<Index>, Edge>, std::size_t> place;
  std::vector<Nest> nests;
  for (const std::size_t point : order) {
    const Design& design = points[point].design;
    const auto [at, first] = place.try_emplace({design.delays(), design.edge()}, nests.size());
    if (first) nests.emplace_back();
    nests[at->second].push_back(point);
  }
  return nests;
}

std::vector<std::size_t> largest_first(const std::vector<SweepPoint>& points) {
  std::vector<std::size_t> order(points.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return points[a].columns() > points[b].columns(); });
  return order;
}

/// Whether points of the same delays are evaluated one after the other: on one rank, where they are fits enough for its
/// threads.
bool by_nests(const std::vector<Nest>& nests, std::size_t points, std::size_t groups, Index ranks) {
  const std::size_t fits_of_a_nest = points * groups / std::max<std::size_t>(1, nests.size());
  return ranks == 1 && fits_of_a_nest >= 4 * static_cast<std::size_t>(parallel::openmp_threads());
}

/// The columns of a design of `more` components that one of fewer has.
std::vector<Index> leading_columns(const SweepPoint& point, Index more) {
  std::vector<Index> columns;
  for (Index first = 0; first < point.design.columns(more); first += more) {
    for (Index column = first; column < first + point.components; ++column) columns.push_back(column);
  }
  return columns;
}

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
      : groups_(groups),
        points_(points),
        options_(options),
        comm_(comm),
        curves_(points.size()),
        served_by_(points.size()) {}

  std::vector<SweepScore> run(const std::function<void(Index)>& done) {
    std::vector<SweepScore> scores(points_.size());
    std::vector<Task> tasks;
    for (const std::size_t point : order()) {
      for (std::size_t group = 0; group < groups_.size(); ++group) tasks.push_back({point, group});
    }
    for (std::size_t begin = 0; begin < tasks.size();) {
      const auto [wave, at_once] = next_wave(std::span<const Task>(tasks).subspan(begin));
      if (comm_.size() == 1) {
        parallel::agree(comm_, [&] { run_alone(wave, at_once, done); });
      } else {
        run_together(wave, at_once, done);
      }
      begin += wave.size();
      for (const Task& task : wave) {
        if (task.group + 1 == groups_.size()) scores[task.point] = score(task.point);
      }
    }
    return scores;
  }

 private:
  struct Wave {
    std::span<const Task> tasks;
    Index at_once;  ///< of them, on a rank
  };
  struct Evaluated {
    Index rows = 0;  ///< held out; 0 where there is no fit, for the group has none or the point is left out
    std::optional<HeldOut> scores;  ///< nothing where the fit is not resolved
  };
  using Done = std::function<void(Index)>;

  /// Large points first, so that what runs side by side is of nearly equal size; by nests where these are fits enough,
  /// for the same statistics serve a whole one.
  std::vector<std::size_t> order() {
    auto order = largest_first(points_);
    std::iota(served_by_.begin(), served_by_.end(), 0);
    if (comm_.size() > 1) return order;
    const auto nests = nests_of(points_, order);
    for (const Nest& nest : nests) {
      for (const std::size_t point : nest) served_by_[point] = nest.front();
    }
    nested_ = by_nests(nests, points_.size(), groups_.size(), 1);
    if (!nested_) return order;
    order.clear();
    for (const Nest& nest : nests) order.insert(order.end(), nest.begin(), nest.end());
    return order;
  }

  Index at_once_of(const Task& task) const {
    return side_by_side(points_[task.point].columns(), groups_.front().targets(), most_bytes, comm_);
  }

  /// Fits for which statistics are assembled together: all that the same statistics serve and that run side by side in the same
  /// number, or, where points come by size, what ranks and threads do at a time.
  Wave next_wave(std::span<const Task> tasks) const {
    const Index at_once = at_once_of(tasks.front());
    std::size_t size = 1;
    if (nested_) {
      while (size < tasks.size() && served_by_[tasks[size].point] == served_by_[tasks.front().point] &&
             at_once_of(tasks[size]) == at_once) {
        ++size;
      }
    } else {
      size = std::min(tasks.size(), static_cast<std::size_t>(at_once * comm_.size()));
    }
    return {tasks.first(size), at_once};
  }

  /// Each thread decomposes a fit, evaluates it, and takes the next.
  void run_alone(std::span<const Task> wave, Index at_once, const Done& done) {
    const Stopwatch before;
    hold(wave, at_once);
    for (const Task& task : wave) {
      curves_[task.point].seconds += before.seconds() / static_cast<double>(wave.size());
    }
    std::vector<std::optional<Evaluated>> results(wave.size());
    std::size_t added = 0;
    for_each_of(std::ssize(wave), at_once, [&](Index i) {
      interrupt::check();
      const Stopwatch clock;
      const auto at = static_cast<std::size_t>(i);
      Evaluated result = evaluate(wave[at], linalg::eigh(gram_of(wave[at])));
      const std::lock_guard lock(mutex_);
      curves_[wave[at].point].seconds += clock.seconds() / static_cast<double>(at_once);
      results[at] = std::move(result);
      // In the order of the folds, so that their sum does not depend on the threads.
      for (; added < wave.size() && results[added]; ++added) {
        add(wave[added], std::exchange(*results[added], {}), done);
      }
    });
  }

  /// Ranks decompose different fits at the same time, then all evaluate each for their own targets.
  void run_together(std::span<const Task> wave, Index at_once, const Done& done) {
    const Stopwatch clock;
    decompose_each(
        std::ssize(wave), points_[wave.front().point].columns(), at_once,
        [&](Index i) { return gram_of(wave[static_cast<std::size_t>(i)]); }, comm_,
        [&](Index first, std::vector<linalg::EigenPairs> pairs) {
          parallel::agree(comm_, [&] {
            const auto tasks = wave.subspan(static_cast<std::size_t>(first), pairs.size());
            hold(tasks, at_once);
            std::vector<Evaluated> results(tasks.size());
            for_each_of(std::ssize(tasks), at_once, [&](Index i) {
              const auto at = static_cast<std::size_t>(i);
              results[at] = evaluate(tasks[at], pairs[at]);
            });
            for (std::size_t i = 0; i < tasks.size(); ++i) add(tasks[i], results[i], done);
          });
        });
    for (const Task& task : wave) {
      curves_[task.point].seconds += clock.seconds() / static_cast<double>(wave.size());
    }
  }

  MatrixD gram_of(const Task& task) {
    const auto all = assembled(task.point);
    const Statistics& group = all->groups[task.group];
    if (group.rows == 0 || is_left_out(task.point)) return {};
    return of_point(task.point, {all->total, group}, *all).gram();
  }

  CentredStatistics of_point(std::size_t point, const CentredStatistics& rows, const Assembled& all) const {
    if (all.components == points_[point].components) return rows;
    return rows.select(leading_columns(points_[point], all.components));
  }

  Evaluated evaluate(const Task& task, const linalg::EigenPairs& pairs) {
    if (pairs.values.size() == 0) return {};
    const auto all = assembled(task.point);
    const Statistics& group = all->groups[task.group];
    const CentredStatistics rest = of_point(task.point, {all->total, group}, *all);
    const RidgeAxes axes(rest, pairs);
    const bool single = options_.only_resolved_by_single;
    if (single && !resolved_by_single(axes.values(), axes.columns())) return {.rows = group.rows};
    return {.rows = group.rows,
            .scores = held_out(axes, rest, of_point(task.point, group, *all), options_.alphas,
                               single ? Products::single : Products::whole)};
  }

  /// Adds what a fit reaches on its held-out group to its point's curves.
  void add(const Task& task, const Evaluated& fit, const Done& done) {
    Curves& curves = curves_[task.point];
    if (fit.rows > 0 && !fit.scores) curves.left_out = true;
    if (fit.scores && !curves.left_out) {
      if (curves.folds == 0) {
        curves.r = fit.scores->r;
        curves.r2 = fit.scores->r2;
      } else {
        curves.r += fit.scores->r;
        curves.r2 += fit.scores->r2;
      }
      curves.rows += fit.rows;
      ++curves.folds;
    }
    if (task.group + 1 == groups_.size() && done) done(++finished_);
  }

  /// Keeps the statistics of the tasks' points, and no others.
  void hold(std::span<const Task> tasks, Index at_once) {
    std::set<std::size_t> wanted;
    for (const Task& task : tasks) wanted.insert(served_by_[task.point]);
    std::erase_if(held_, [&](const auto& each) { return !wanted.contains(each.first); });
    for (const std::size_t point : wanted) {
      if (!held_.contains(point)) held_[point] = assemble(point, at_once);
    }
  }

  bool is_left_out(std::size_t point) {
    const std::lock_guard lock(mutex_);
    return curves_[point].left_out;
  }

  std::shared_ptr<const Assembled> assembled(std::size_t point) {
    const std::lock_guard lock(mutex_);
    auto& held = held_[served_by_[point]];
    if (!held) held = assemble(served_by_[point], 1);
    return held;
  }

  std::shared_ptr<const Assembled> assemble(std::size_t point, Index at_once) const {
    auto all = std::make_shared<Assembled>();
    // On one rank all there are, so that a point rounds alike whichever others there are.
    all->components = comm_.size() > 1 ? points_[point].components : groups_.front().sums().components;
    all->groups.resize(groups_.size());
    for_each_of(std::ssize(groups_), at_once, [&](Index i) {
      const auto group = static_cast<std::size_t>(i);
      all->groups[group] = groups_[group].assemble(points_[point].design, all->components);
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
  std::vector<std::size_t> served_by_;                            ///< [points] by which point's statistics
  std::map<std::size_t, std::shared_ptr<const Assembled>> held_;  ///< by point
  std::mutex mutex_;     ///< of held_ and curves_, while fits are made side by side
  bool nested_ = false;  ///< points of the same delays follow each other
  Index finished_ = 0;
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
  const Index local = partition(shape.targets, shape.ranks, 0).size();
  Index components = 0;
  for (const auto& point : points) components = std::max(components, point.components);
  Index columns = 0, most_at_once = 1;
  double fits = 0;  // side by side
  for (const auto& point : points) {
    delays.insert(point.design.delays().begin(), point.design.delays().end());
    columns = std::max(columns, point.design.columns(components));
    const Index at_once = side_by_side(point.columns(), local, most_bytes);
    most_at_once = std::max(most_at_once, at_once);
    fits = std::max(fits, static_cast<double>(at_once) * fit_bytes(point.columns(), local));
  }
  // Fits side by side are of one set of statistics, or of as many as their folds may belong to.
  const Index groups = std::max<Index>(1, shape.groups), count = std::ssize(points);
  const bool one_set = by_nests(nests_of(points, largest_first(points)), points.size(),
                                static_cast<std::size_t>(groups), shape.ranks);
  const Index sets = one_set ? 1 : std::min(count, (most_at_once + groups - 2) / groups + 1);
  for (const Index d : delays) {
    for (const Index e : delays) differences.insert(std::abs(d - e));
  }
  const Index run_parts = parallel::run_parts(static_cast<int>(shape.ranks), shape.targets);
  const auto t = static_cast<double>(local), f = static_cast<double>(shape.groups);
  const double column = t * static_cast<double>(run_parts);
  const auto k = static_cast<double>(components), p = static_cast<double>(columns);
  const auto d = static_cast<double>(delays.size());
  const double autos = static_cast<double>(differences.size()) * k * k;
  const Index at_edges = edge_rows({delays.begin(), delays.end()}, shape.runs);
  // While sums grow there is a float32 copy beside each, and the runs that are read; afterwards those of one set of delays, fits
  // side by side, and curves of points that are not finished.
  const double summing = 12 * f * (autos + d * k * column) +
                         edge_bytes(at_edges, components, column, run_parts) +
                         24 * static_cast<double>(shape.run_rows) * (k + column);
  const double evaluating =
      8 * (f * (autos + d * k * t) + static_cast<double>(sets) * (f + 1) * p * (p + t)) +
      edge_bytes(at_edges, components, t, 1) + fits +
      16 * static_cast<double>(shape.alphas) * t * static_cast<double>(points.size());
  return std::max(summing, evaluating);
}

}  // namespace cinecortex::encoding
