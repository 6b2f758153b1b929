#include "cinecortex/encoding/sweep.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "cinecortex/core/error.hpp"
#include "cinecortex/encoding/ridge.hpp"
#include "cinecortex/parallel/threads.hpp"
#include "plain_ridge.hpp"
#include "random_matrix.hpp"

// Every point is compared with separate fits: design rows made one by one, one singular value decomposition a fold, one
// product an alpha, and scores of the predictions themselves. Every rank makes them for itself.
namespace cinecortex::encoding {
namespace {

using parallel::Communicator;

/// Runs of different lengths, features with falling variances as components have, and responses that follow them.
struct Runs {
  std::vector<MatrixD> features, responses;  ///< [L, k], [T, t]
  std::vector<Index> group_of;
  Index trim = 2;
  Range times(std::size_t run) const { return {trim, responses[run].rows() - trim}; }
};

Runs random_runs(const std::vector<Index>& lengths, const std::vector<Index>& group_of, Index k, Index t,
                 unsigned seed) {
  Runs runs{.features = {}, .responses = {}, .group_of = group_of};
  const MatrixD kernel = random_matrix(3 * k, t, seed);
  for (std::size_t run = 0; run < lengths.size(); ++run) {
    const Index rows = lengths[run];
    MatrixD x = random_matrix(rows, k, seed + 10 + static_cast<unsigned>(run));
    for (Index j = 0; j < k; ++j) x.col(j) = x.col(j).array() * std::pow(0.8, static_cast<double>(j)) + 0.5;
    // fMRI is a little longer or shorter than the movie.
    const Index responses = rows + static_cast<Index>(run % 3) - 1;
    MatrixD y = random_matrix(responses, t, seed + 30 + static_cast<unsigned>(run));
    for (Index v = 0; v < t; ++v) y.col(v) *= std::pow(10.0, static_cast<double>(v % 4) - 1.0);
    for (Index time = 4; time < std::min(rows, responses); ++time) {
      for (Index d = 2; d < 5; ++d) y.row(time) += x.row(time - d) * kernel.middleRows((d - 2) * k, k);
    }
    runs.features.push_back(std::move(x));
    runs.responses.push_back(y.array() + 3.0);
  }
  return runs;
}

class Features : public LaggedSource {
 public:
  Features(const Runs& runs, Design design) : runs_(runs), design_(std::move(design)) {}
  const Design& design() const override { return design_; }
  Index components() const override { return runs_.features.front().cols(); }
  Index feature_rows(Index block) const override { return runs_.features[at(block)].rows(); }
  Range times(Index block) const override { return runs_.times(at(block)); }
  Index lowest() const override { return runs_.trim; }
  MatrixD features(Index block) const override { return runs_.features[at(block)]; }
  Index blocks() const override { return static_cast<Index>(runs_.features.size()); }
  std::string name(Index block) const override { return "run " + std::to_string(block); }

 private:
  static std::size_t at(Index block) { return static_cast<std::size_t>(block); }
  const Runs& runs_;
  Design design_;
};

class Responses : public BlockSource {
 public:
  explicit Responses(const Runs& runs) : runs_(runs) {}
  Index blocks() const override { return static_cast<Index>(runs_.responses.size()); }
  Index rows(Index block) const override { return runs_.times(static_cast<std::size_t>(block)).size(); }
  Index columns() const override { return runs_.responses.front().cols(); }
  MatrixD read(Index block, Range columns) const override {
    const auto run = static_cast<std::size_t>(block);
    const Range times = runs_.times(run);
    return runs_.responses[run].block(times.begin, columns.begin, times.size(), columns.size());
  }
  using BlockSource::read;
  std::string name(Index block) const override { return "run " + std::to_string(block); }

 private:
  const Runs& runs_;
};

/// The same, as stored in float32.
class SingleFeatures final : public Features {
 public:
  using Features::Features;
  bool single_precision() const override { return true; }
};
class SingleResponses final : public Responses {
 public:
  using Responses::Responses;
  bool single_precision() const override { return true; }
};

struct Rows {
  MatrixD x, y;
};

void append(MatrixD& to, const MatrixD& rows) {
  MatrixD both(to.rows() + rows.rows(), rows.cols());
  both << to, rows;
  to = std::move(both);
}

/// Design rows and responses of the runs for which `wanted` holds.
template <class Wanted>
Rows rows_of(const Runs& runs, const SweepPoint& point, Wanted wanted) {
  Rows rows{MatrixD(0, point.columns()), MatrixD(0, runs.responses.front().cols())};
  for (std::size_t run = 0; run < runs.features.size(); ++run) {
    if (!wanted(runs.group_of[run])) continue;
    const auto times = point.design.rows(runs.features[run].rows(), runs.times(run));
    append(rows.x, point.design.rows_at(runs.features[run].leftCols(point.components), times, runs.trim));
    MatrixD y(static_cast<Index>(times.size()), rows.y.cols());
    for (Index i = 0; i < y.rows(); ++i)
      y.row(i) = runs.responses[run].row(times[static_cast<std::size_t>(i)]);
    append(rows.y, y);
  }
  return rows;
}

struct Plain {
  MatrixD r, r2;  ///< [A, t] means over folds
};

Plain plain_sweep(const Runs& runs, const SweepPoint& point, const std::vector<double>& alphas) {
  const Index groups = 1 + *std::max_element(runs.group_of.begin(), runs.group_of.end());
  const Index targets = runs.responses.front().cols(), count = static_cast<Index>(alphas.size());
  Plain mean{MatrixD::Zero(count, targets), MatrixD::Zero(count, targets)};
  for (Index group = 0; group < groups; ++group) {
    const Rows train = rows_of(runs, point, [&](Index of) { return of != group; });
    const Rows test = rows_of(runs, point, [&](Index of) { return of == group; });
    for (Index a = 0; a < count; ++a) {
      const MatrixD prediction =
          plain_ridge(train.x, train.y, alphas[static_cast<std::size_t>(a)]).predict(test.x);
      for (Index v = 0; v < targets; ++v) {
        const VectorD y = test.y.col(v).array() - test.y.col(v).mean();
        const VectorD p = prediction.col(v).array() - prediction.col(v).mean();
        mean.r(a, v) += y.dot(p) / (y.norm() * p.norm());
        mean.r2(a, v) += 1 - (test.y.col(v) - prediction.col(v)).squaredNorm() / y.squaredNorm();
      }
    }
  }
  mean.r /= static_cast<double>(groups);
  mean.r2 /= static_cast<double>(groups);
  return mean;
}

std::vector<SweepScore> run_sweep(const Runs& runs, const std::vector<SweepPoint>& points,
                                  const SweepOptions& options, const Communicator& comm) {
  std::vector<Index> delays;
  for (const auto& point : points)
    delays.insert(delays.end(), point.design.delays().begin(), point.design.delays().end());
  std::sort(delays.begin(), delays.end());
  delays.erase(std::unique(delays.begin(), delays.end()), delays.end());
  const Index groups = 1 + *std::max_element(runs.group_of.begin(), runs.group_of.end());
  const Features x(runs, Design::fir(delays, points.front().design.edge()));
  return sweep(LaggedStatistics::accumulate(x, Responses(runs), runs.group_of, groups, comm), points, options,
               comm);
}

void expect_as_plain(const Runs& runs, const std::vector<SweepPoint>& points,
                     const std::vector<double>& alphas, const Communicator& comm) {
  const auto scores = run_sweep(runs, points, {.alphas = alphas}, comm);
  ASSERT_EQ(scores.size(), points.size());
  const Range local = partition(runs.responses.front().cols(), comm.size(), comm.rank());
  for (std::size_t i = 0; i < points.size(); ++i) {
    const Plain plain = plain_sweep(runs, points[i], alphas);
    const Rows all = rows_of(runs, points[i], [](Index) { return true; });
    EXPECT_EQ(scores[i].rows, all.x.rows());
    ASSERT_EQ(scores[i].r.size(), local.size());
    for (Index v = 0; v < local.size(); ++v) {
      Index best = 0;
      plain.r2.col(local.begin + v).maxCoeff(&best);
      EXPECT_EQ(scores[i].alpha[v], alphas[static_cast<std::size_t>(best)])
          << "point " << i << " target " << v;
      EXPECT_NEAR(scores[i].r2[v], plain.r2(best, local.begin + v), 1e-8);
      EXPECT_NEAR(scores[i].r[v], plain.r(best, local.begin + v), 1e-8);
    }
  }
}

std::vector<SweepPoint> all_points(const std::vector<Index>& sizes, Edge edge) {
  std::vector<SweepPoint> points;
  for (const Index k : sizes) {
    for (const Index delay : {1, 2, 3}) {
      for (const Index window : {1, 2, 3}) points.push_back({k, Design::shifted_window(delay, window, edge)});
    }
  }
  return points;
}

const std::vector<double> grid{1e4, 1e3, 100, 10, 1, 0.1, 1e-3};

TEST(Sweep, EqualsSeparateFitsForEveryEdge) {
  const auto runs = random_runs({40, 55, 31, 62, 47}, {0, 0, 1, 1, 2}, 6, 7, 1);
  for (const Edge edge : {Edge::shift, Edge::zero, Edge::drop}) {
    expect_as_plain(runs, all_points({2, 4, 6}, edge), grid, Communicator::world());
  }
}

TEST(Sweep, TakesAnySetsOfDelays) {
  const auto runs = random_runs({60, 50, 70, 52}, {0, 1, 2, 3}, 4, 5, 2);
  expect_as_plain(runs,
                  {{4, Design::fir({-2, 0, 5}, Edge::zero)},
                   {3, Design::fir({7}, Edge::zero)},
                   {2, Design::fir({0, 1, 2, 3, 4, 5, 6, 7}, Edge::zero)}},
                  grid, Communicator::world());
}

TEST(Sweep, EqualsSeparateFitsWithTheirsSideBySide) {
  const auto runs = random_runs({40, 55, 31, 62, 47}, {0, 0, 1, 1, 2}, 6, 7, 12);
  for (const int threads : {2, 4}) {  // nests of nine fits: enough for two threads
    parallel::set_openmp_threads(threads);
    expect_as_plain(runs, all_points({2, 6, 4}, Edge::shift), grid, Communicator::world());
  }
  parallel::set_openmp_threads(1);
}

/// Sums of the whole sweep, of which a part takes some points.
TEST(Sweep, PointsDoNotDependOnTheOthers) {
  const auto world = Communicator::world();
  const auto runs = random_runs({40, 55, 31, 62, 47}, {0, 0, 1, 1, 2}, 6, 7, 14);
  const auto points = all_points({2, 4, 6}, Edge::shift);
  const Features x(runs, Design::fir({1, 2, 3, 4, 5}, Edge::shift));
  const auto sums = LaggedStatistics::accumulate(x, Responses(runs), runs.group_of, 3, world);
  const auto whole = sweep(sums, points, {.alphas = grid}, world);
  for (const std::size_t point : {0, 9, 20}) {
    const auto alone = sweep(sums, {points[point]}, {.alphas = grid}, world);
    EXPECT_EQ(alone[0].r, whole[point].r) << point;
    EXPECT_EQ(alone[0].r2, whole[point].r2) << point;
  }
}

TEST(Sweep, MoreColumnsThanRows) {
  const auto runs = random_runs({20, 22, 24}, {0, 1, 2}, 25, 3, 3);
  expect_as_plain(
      runs, {{25, Design::shifted_window(2, 3, Edge::shift)}, {9, Design::shifted_window(2, 1, Edge::shift)}},
      {1e4, 1e2, 1}, Communicator::world());
}

TEST(Sweep, WorksOnAPartOfTheRanks) {
  const auto world = Communicator::world();
  const auto half = world.split(world.rank() % 2, world.rank());
  const auto runs = random_runs({40, 45, 50}, {0, 1, 2}, 3, 2, 4 + static_cast<unsigned>(world.rank() % 2));
  expect_as_plain(runs, all_points({1, 3}, Edge::shift), grid, half);
}

TEST(Sweep, OneAlphaForAllIsTheBestOnAverage) {
  const auto world = Communicator::world();
  const auto runs = random_runs({40, 55, 61}, {0, 1, 2}, 4, 6, 5);
  const SweepPoint point{4, Design::shifted_window(2, 2, Edge::shift)};
  const auto scores = run_sweep(runs, {point}, {.alphas = grid, .per_target = false}, world);
  const Plain plain = plain_sweep(runs, point, grid);
  Index best = 0;
  plain.r2.rowwise().mean().maxCoeff(&best);
  for (const double alpha : scores[0].alpha) EXPECT_EQ(alpha, grid[static_cast<std::size_t>(best)]);
}

/// The same rule, and the same curve, as a fit with the criterion kfold:K.
TEST(Sweep, ChoosesAsKFold) {
  const auto world = Communicator::world();
  const auto runs = random_runs({40, 55, 61, 38}, {0, 0, 1, 1}, 5, 6, 6);
  const Design design = Design::shifted_window(1, 3, Edge::shift);
  const auto scores = run_sweep(runs, {{5, design}}, {.alphas = grid}, world);
  const auto fit =
      fit_ridge(Features(runs, design), Responses(runs), {.alphas = grid, .criterion = "kfold:2"}, world);
  EXPECT_EQ(scores[0].alpha, fit.alpha);
  EXPECT_LT((scores[0].r2 - fit.cv.colwise().maxCoeff().transpose()).cwiseAbs().maxCoeff(), 1e-8);
}

TEST(Sweep, MayChooseByCorrelation) {
  const auto world = Communicator::world();
  const auto runs = random_runs({40, 35, 41}, {0, 1, 2}, 5, 6, 11);
  const SweepPoint point{5, Design::shifted_window(1, 3, Edge::shift)};
  const auto scores = run_sweep(runs, {point}, {.alphas = grid, .measure = "r"}, world);
  const Plain plain = plain_sweep(runs, point, grid);
  const Range local = partition(6, world.size(), world.rank());
  for (Index v = 0; v < local.size(); ++v) {
    EXPECT_NEAR(scores[0].r[v], plain.r.col(local.begin + v).maxCoeff(), 1e-8);
  }
}

TEST(Sweep, AConstantTargetTakesTheLargestAlphaAndHasNoCorrelation) {
  const auto world = Communicator::world();
  auto runs = random_runs({40, 55, 61}, {0, 1, 2}, 3, 1, 7);
  for (auto& y : runs.responses) y.setConstant(4.25);
  const auto scores =
      run_sweep(runs, {{3, Design::shifted_window(1, 2, Edge::shift)}}, {.alphas = grid}, world);
  for (Index v = 0; v < scores[0].r.size(); ++v) {
    EXPECT_EQ(scores[0].r[v], 0.0);
    EXPECT_EQ(scores[0].alpha[v], 1e4);
  }
}

TEST(Sweep, RefusesFoldsThatNoDelayLeavesRowsFor) {
  const auto runs = random_runs({40, 12, 12}, {0, 1, 2}, 2, 2, 8);
  EXPECT_THROW(run_sweep(runs, {{2, Design::fir({20}, Edge::drop)}}, {.alphas = grid}, Communicator::world()),
               InputError);
}

/// Features in float32 of very different sizes: the small ones are lost in sums of float32 products.
TEST(Sweep, AddsUpInDoublePrecisionWhereSinglePrecisionIsTooLittle) {
  auto runs = random_runs({120, 130, 140}, {0, 1, 2}, 4, 3, 9);
  for (auto& x : runs.features) {
    x.rightCols(2) *= 1e-4;
    x = x.cast<float>().cast<double>();
  }
  for (auto& y : runs.responses) y = y.cast<float>().cast<double>();
  const std::vector<SweepPoint> points{{2, Design::shifted_window(2, 2, Edge::shift)},
                                       {4, Design::shifted_window(2, 2, Edge::shift)}};
  const std::vector<double> alphas{1, 1e-9};
  const auto world = Communicator::world();
  const SingleFeatures x(runs, points[0].design);
  const auto scores = sweep(x, SingleResponses(runs), runs.group_of, 3, points, {.alphas = alphas}, world);
  const Range local = partition(3, world.size(), world.rank());
  const double tolerance[] = {1e-5, 1e-8};  // float32 products, float64
  for (std::size_t i = 0; i < points.size(); ++i) {
    const Plain plain = plain_sweep(runs, points[i], alphas);
    EXPECT_FALSE(scores[i].left_out);
    for (Index v = 0; v < local.size(); ++v) {
      EXPECT_NEAR(scores[i].r2[v], plain.r2.col(local.begin + v).maxCoeff(), tolerance[i]) << "point " << i;
    }
  }
}

}  // namespace
}  // namespace cinecortex::encoding
