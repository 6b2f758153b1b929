#include <gtest/gtest.h>

#include <Eigen/Cholesky>
#include <Eigen/QR>
#include <optional>
#include <random>

#include "../../src/encoding/held_out_rows.hpp"
#include "cinecortex/core/error.hpp"
#include "cinecortex/encoding/held_out.hpp"
#include "cinecortex/encoding/joined_source.hpp"
#include "cinecortex/encoding/lagged_statistics.hpp"
#include "cinecortex/encoding/ridge.hpp"

namespace cinecortex::encoding {
namespace {

using parallel::Communicator;

MatrixD random_rows(Index rows, Index columns, std::uint64_t seed, double mean = 0) {
  std::mt19937_64 engine(seed);
  std::normal_distribution<double> normal(mean, 1.0);
  MatrixD values(rows, columns);
  for (Index i = 0; i < values.size(); ++i) values.data()[i] = normal(engine);
  return values;
}

struct RunPlan {
  Index feature_rows;
  Range times;
};

class RandomRuns final : public LaggedSource {
 public:
  RandomRuns(Design design, Index components, std::vector<RunPlan> plan, Index lowest, bool single,
             Index runs_a_season = 100)
      : design_(std::move(design)),
        components_(components),
        plan_(std::move(plan)),
        lowest_(lowest),
        single_(single),
        runs_a_season_(runs_a_season) {}
  const Design& design() const override { return design_; }
  Index components() const override { return components_; }
  Index blocks() const override { return static_cast<Index>(plan_.size()); }
  Index feature_rows(Index block) const override {
    return plan_[static_cast<std::size_t>(block)].feature_rows;
  }
  Range times(Index block) const override { return plan_[static_cast<std::size_t>(block)].times; }
  Index lowest() const override { return lowest_; }
  Index season(Index block) const override { return block / runs_a_season_; }
  bool single_precision() const override { return single_; }
  MatrixD features(Index block) const override {
    const MatrixD values =
        random_rows(feature_rows(block), components_, 100 + static_cast<std::uint64_t>(block), 3.0);
    return single_ ? MatrixD(values.cast<float>().cast<double>()) : values;
  }
  std::string name(Index block) const override { return "run " + std::to_string(block); }

 private:
  Design design_;
  Index components_;
  std::vector<RunPlan> plan_;
  Index lowest_;
  bool single_;
  Index runs_a_season_;
};

class RandomResponses final : public BlockSource {
 public:
  RandomResponses(const LaggedSource& x, Index targets, bool single)
      : x_(x), targets_(targets), single_(single) {}
  Index blocks() const override { return x_.blocks(); }
  Index rows(Index block) const override { return x_.rows(block); }
  Index columns() const override { return targets_; }
  bool single_precision() const override { return single_; }
  MatrixD read(Index block, Range columns) const override {
    const MatrixD all = random_rows(rows(block), targets_, 900 + static_cast<std::uint64_t>(block), -2.0);
    const MatrixD some = all.middleCols(columns.begin, columns.size());
    return single_ ? MatrixD(some.cast<float>().cast<double>()) : some;
  }
  using BlockSource::read;
  std::string name(Index block) const override { return x_.name(block); }

 private:
  const LaggedSource& x_;
  Index targets_;
  bool single_;
};

/// Runs of any length: ordinary ones, one shorter than its window, one without rows, one that ends before its fMRI.
std::vector<RunPlan> odd_runs() {
  return {{60, {5, 55}}, {43, {5, 40}}, {9, {2, 7}}, {30, {5, 5}}, {25, {0, 31}}, {4, {0, 6}}, {71, {5, 69}}};
}

/// Design rows of the whole data, and the responses, for one group of runs.
std::pair<MatrixD, MatrixD> plain(const LaggedSource& x, const BlockSource& y, const Design& design, Index k,
                                  const std::vector<Index>& group_of, Index group) {
  MatrixD rows(0, design.columns(k)), responses(0, y.columns());
  for (Index block = 0; block < x.blocks(); ++block) {
    if (group_of[static_cast<std::size_t>(block)] != group) continue;
    const auto times = design.rows(x.feature_rows(block), x.times(block));
    const MatrixD features = x.features(block).leftCols(k);
    const MatrixD some = design.rows_at(features, times, x.lowest());
    const MatrixD all_y = y.read(block);
    MatrixD some_y(some.rows(), y.columns());
    for (Index i = 0; i < some.rows(); ++i) {
      some_y.row(i) = all_y.row(times[static_cast<std::size_t>(i)] - x.times(block).begin);
    }
    const Index before = rows.rows();
    rows.conservativeResize(before + some.rows(), Eigen::NoChange);
    responses.conservativeResize(before + some.rows(), Eigen::NoChange);
    rows.bottomRows(some.rows()) = some;
    responses.bottomRows(some.rows()) = some_y;
  }
  return {rows, responses};
}

double relative(const MatrixD& a, const MatrixD& b) {
  const double scale = std::max(1.0, b.size() > 0 ? b.cwiseAbs().maxCoeff() : 0.0);
  return a.size() > 0 ? (a - b).cwiseAbs().maxCoeff() / scale : 0.0;
}

struct Case {
  std::vector<Index> widest;
  std::vector<std::vector<Index>> subsets;
};

void compare(const Case& which, Edge edge, bool single, double tolerance) {
  const auto comm = Communicator::world();
  constexpr Index components = 4, targets = 131, groups = 2;
  const RandomRuns x(Design::fir(which.widest, edge == Edge::drop ? Edge::shift : edge), components,
                     odd_runs(), 5, single);
  const RandomResponses y(x, targets, single);
  std::vector<Index> group_of;
  for (Index block = 0; block < x.blocks(); ++block) group_of.push_back(block % 3 == 0 ? 0 : 1);
  const auto statistics = LaggedStatistics::accumulate(x, y, group_of, groups, comm);
  const Range mine = partition(targets, comm.size(), comm.rank());
  for (const auto& delays : which.subsets) {
    const Design design = Design::fir(delays, edge);
    for (const Index k : {Index{1}, components}) {
      for (Index group = 0; group < groups; ++group) {
        const auto got = statistics[static_cast<std::size_t>(group)].assemble(design, k);
        const auto [rows, responses] = plain(x, y, design, k, group_of, group);
        const MatrixD shifted = rows.rowwise() - got.shift_x.transpose();
        const MatrixD local =
            responses.middleCols(mine.begin, mine.size()).rowwise() - got.shift_y.transpose();
        EXPECT_EQ(got.rows, rows.rows());
        EXPECT_LT(relative(got.gram, shifted.transpose() * shifted), tolerance);
        EXPECT_LT(relative(got.cross, shifted.transpose() * local), tolerance);
        EXPECT_LT(relative(got.sum_x, shifted.colwise().sum().transpose()), tolerance);
        EXPECT_LT(relative(got.sum_y, local.colwise().sum().transpose()), tolerance);
        EXPECT_LT(relative(got.squares_y, local.colwise().squaredNorm().transpose()), tolerance);
      }
    }
  }
}

std::vector<Case> cases() {
  return {{{3, 4, 5}, {{3, 4, 5}, {4, 5}, {3}, {5, 3}}},
          {{-2, -1, 0, 1, 2, 3, 4, 5, 6, 7}, {{-2, 7}, {0, 1, 2, 3}, {-1}, {-2, -1, 0, 1, 2, 3, 4, 5, 6, 7}}},
          {{0, 5, 10}, {{0, 5, 10}, {10}, {0, 10}}},
          {{0}, {{0}}}};
}

TEST(LaggedStatistics, EqualDirectProductsForEveryEdgePolicyAndAnyDelays) {
  for (const Edge edge : {Edge::shift, Edge::zero, Edge::drop}) {
    for (const auto& which : cases()) {
      SCOPED_TRACE(std::string(name(edge)));
      compare(which, edge, false, 1e-12);
    }
  }
}

TEST(LaggedStatistics, SinglePrecisionDataAreSummedToItsPrecision) {
  for (const Edge edge : {Edge::shift, Edge::zero, Edge::drop}) {
    for (const auto& which : cases()) compare(which, edge, true, 1e-6);
  }
}

std::vector<Index> thirds(const BlockSource& x) {
  std::vector<Index> group_of;
  for (Index block = 0; block < x.blocks(); ++block) group_of.push_back(block % 3);
  return group_of;
}

TEST(LaggedStatistics, OfGroupsAddUpToThoseOfAllRuns) {
  const auto comm = Communicator::world();
  const RandomRuns x(Design::fir({0, 2, 3}, Edge::zero), 4, odd_runs(), 5, false);
  const RandomResponses y(x, 70, false);
  auto groups = LaggedStatistics::accumulate(x, y, thirds(x), 3, comm);
  // Out of order, so that runs must be put in order again.
  LaggedStatistics sum = groups[2];
  (sum += groups[0]) += groups[1];
  const auto whole =
      LaggedStatistics::accumulate(x, y, std::vector<Index>(odd_runs().size(), 0), 1, comm).front();
  for (std::size_t i = 0; i < whole.sums().edges.size(); ++i) {
    EXPECT_EQ(sum.sums().edges[i].block, whole.sums().edges[i].block);
  }
  const Design design = Design::fir({0, 3}, Edge::shift);
  const auto got = sum.assemble(design, 3), expected = whole.assemble(design, 3);
  EXPECT_EQ(got.rows, expected.rows);
  EXPECT_LT(relative(got.gram, expected.gram), 1e-13);
  EXPECT_LT(relative(got.cross, expected.cross), 1e-13);
  EXPECT_LT(relative(got.sum_x, expected.sum_x), 1e-13);
  EXPECT_LT(relative(got.squares_y, expected.squares_y), 1e-13);

  const RandomRuns other(Design::fir({0, 2}, Edge::zero), 4, odd_runs(), 5, false);
  EXPECT_THROW(sum += LaggedStatistics::accumulate(other, y, thirds(other), 3, comm).front(), Error);
}

/// Runs that are summed in float32 together, that are cut, and that are neither, by seasons of four.
std::vector<RunPlan> runs_of_many_lengths() {
  std::vector<RunPlan> plan;
  for (const Index rows : {200, 100, 300, 40, 700, 1300, 90, 2200, 511, 30, 512, 513})
    plan.push_back({rows, {2, rows}});
  return plan;
}

TEST(LaggedStatistics, SinglePrecisionSumsAreTheSameForAnyRanksAndAddUpFromSeasons) {
  const auto world = Communicator::world();
  const auto alone = world.split(world.rank(), 0);
  const Design design = Design::fir({0, 1, 4}, Edge::zero);
  const RandomRuns x(design, 5, runs_of_many_lengths(), 2, true, 4);
  const std::vector<Index> together(static_cast<std::size_t>(x.blocks()), 0);
  std::vector<Index> by_season;
  for (Index block = 0; block < x.blocks(); ++block) by_season.push_back(x.season(block));
  for (const Index targets : {70, 300}) {  // ranks share targets, or have their own
    SCOPED_TRACE(targets);
    const RandomResponses y(x, targets, true);
    const auto of = [&](const std::vector<Index>& group_of, Index groups, const Communicator& comm) {
      auto sums = LaggedStatistics::accumulate(x, y, group_of, groups, comm);
      for (std::size_t g = 1; g < sums.size(); ++g) sums.front() += sums[g];
      return sums.front().assemble(design, 5);
    };
    const Statistics here = of(together, 1, alone), shared = of(together, 1, world),
                     seasons = of(by_season, 3, world);
    const Range mine = partition(targets, world.size(), world.rank());
    const MatrixD cross = here.cross.middleCols(mine.begin, mine.size());
    EXPECT_LT(relative(shared.gram, here.gram), 1e-14);
    EXPECT_LT(relative(seasons.gram, here.gram), 1e-14);
    EXPECT_LT(relative(seasons.cross, shared.cross), 1e-14);
    EXPECT_LT(relative(shared.cross, cross), targets == 70 ? 1e-14 : 1e-6)
        << "BLAS rounds other widths otherwise";
    const auto [rows, responses] = plain(x, y, design, 5, together, 0);
    const MatrixD shifted = rows.rowwise() - here.shift_x.transpose();
    EXPECT_LT(relative(here.gram, shifted.transpose() * shifted), 1e-6);
    EXPECT_LT(relative(here.cross, shifted.transpose() * (responses.rowwise() - here.shift_y.transpose())),
              1e-6);
  }
}

TEST(LaggedStatistics, RefuseSumsOfOtherShapes) {
  const auto comm = Communicator::world();
  const RandomRuns x(Design::fir({0, 2}, Edge::zero), 4, odd_runs(), 5, false);
  const RandomResponses y(x, 5, false);
  const auto sums = LaggedStatistics::accumulate(x, y, thirds(x), 3, comm).front().sums();
  EXPECT_NO_THROW(LaggedStatistics{sums});
  auto wrong = sums;
  wrong.auto_products.pop_back();
  EXPECT_THROW(LaggedStatistics{wrong}, Error);
  wrong = sums;
  wrong.shift_y.conservativeResize(sums.shift_y.size() + 1);
  EXPECT_THROW(LaggedStatistics{wrong}, Error);
  wrong = sums;
  wrong.interior_rows += 1;
  auto more = sums;
  EXPECT_THROW(more.append_targets(wrong), Error);
}

/// The same runs, but whoever reads them fails.
class Unreadable final : public LaggedSource {
 public:
  explicit Unreadable(const LaggedSource& runs) : runs_(runs) {}
  const Design& design() const override { return runs_.design(); }
  Index components() const override { return runs_.components(); }
  Index blocks() const override { return runs_.blocks(); }
  Index feature_rows(Index block) const override { return runs_.feature_rows(block); }
  Range times(Index block) const override { return runs_.times(block); }
  Index lowest() const override { return runs_.lowest(); }
  MatrixD features(Index) const override { throw InputError("a row was read"); }
  std::string name(Index block) const override { return runs_.name(block); }

 private:
  const LaggedSource& runs_;
};

/// Sums of each run by itself, put together as they are asked for.
class SumsOfRuns final : public RidgeSums {
 public:
  SumsOfRuns(const LaggedSource& x, const BlockSource& y, const Communicator& comm)
      : x_(x), y_(y), comm_(comm) {}
  std::vector<Statistics> of_folds(const std::vector<Index>& fold_of, Index folds, Range targets,
                                   LaggedStatistics::Wanted wanted) override {
    ++asked;
    const ColumnsOf some(y_, targets);
    std::vector<Index> each;
    for (Index block = 0; block < x_.blocks(); ++block) each.push_back(block);
    const auto runs = LaggedStatistics::accumulate(x_, some, each, x_.blocks(), comm_, wanted);
    std::vector<std::optional<LaggedStatistics>> sums(static_cast<std::size_t>(folds));
    for (std::size_t run = 0; run < runs.size(); ++run) {
      auto& sum = sums[static_cast<std::size_t>(fold_of[run])];
      if (sum) {
        *sum += runs[run];
      } else {
        sum = runs[run];
      }
    }
    std::vector<Statistics> result;
    for (auto& sum : sums) result.push_back(std::move(*sum).take(x_.design()));
    return result;
  }
  Index asked = 0;

 private:
  const LaggedSource& x_;
  const BlockSource& y_;
  const Communicator& comm_;
};

TEST(RidgeSums, ServeAFitWithoutARowWhereItsMethodAllows) {
  const auto comm = Communicator::world();
  const RandomRuns x(Design::fir({1, 2}, Edge::zero), 4, odd_runs(), 5, false);
  const RandomResponses y(x, 131, false);
  const Unreadable unreadable(x);
  for (const char* criterion : {"gcv", "kfold:3", "leave-one-season-out", "loo", "leave-one-run-out"}) {
    SCOPED_TRACE(criterion);
    const bool needs_rows = std::string(criterion) == "loo" || std::string(criterion) == "leave-one-run-out";
    const RidgeOptions options{.alphas = {10, 1, 0.1}, .criterion = criterion, .season_of = thirds(x)};
    const auto expected = fit_ridge(x, y, options, comm);
    SumsOfRuns sums(x, y, comm);
    Index parts = 0;
    const auto compare = [&](const RidgeFit& fit) {
      const Range mine = fit.targets_local;
      for (Index v = mine.begin; v < mine.end; ++v) {
        if (v < expected.targets_local.begin || v >= expected.targets_local.end) continue;
        const Index a = v - mine.begin, b = v - expected.targets_local.begin;
        EXPECT_LT(relative(fit.weights.col(a), expected.weights.col(b)), 1e-11);
        EXPECT_LT(relative(fit.cv.col(a), expected.cv.col(b)), 1e-11);
      }
      ++parts;
    };
    const LaggedSource& rows = needs_rows ? static_cast<const LaggedSource&>(x) : unreadable;
    fit_ridge(rows, y, options, {.targets_at_once = 50}, comm, compare, &sums);
    EXPECT_EQ(parts, 3);
    EXPECT_EQ(sums.asked, 3);
  }
}

Statistics statistics_of(const MatrixD& x, const MatrixD& y, double shift) {
  Statistics s{.rows = x.rows(),
               .shift_x = VectorD::Constant(x.cols(), shift),
               .shift_y = VectorD::Constant(y.cols(), -shift)};
  const MatrixD a = x.rowwise() - s.shift_x.transpose();
  const MatrixD b = y.rowwise() - s.shift_y.transpose();
  s.sum_x = a.colwise().sum().transpose();
  s.sum_y = b.colwise().sum().transpose();
  s.squares_y = b.colwise().squaredNorm().transpose();
  s.gram = a.transpose() * a;
  s.cross = a.transpose() * b;
  return s;
}

/// Columns of very different variance, as principal components have.
MatrixD graded(Index rows, Index columns, std::uint64_t seed) {
  MatrixD x = random_rows(rows, columns, seed);
  for (Index j = 0; j < columns; ++j) x.col(j) *= std::pow(10.0, -3.0 * static_cast<double>(j) / columns);
  x.array() += 0.5;
  return x;
}

void expect_centred(const CentredStatistics& got, Range targets, const MatrixD& x, const MatrixD& y) {
  const MatrixD cx = x.rowwise() - x.colwise().mean(), cy = y.rowwise() - y.colwise().mean();
  EXPECT_EQ(got.rows(), x.rows());
  EXPECT_EQ(got.columns(), x.cols());
  EXPECT_LT(relative(got.mean_x(), x.colwise().mean().transpose()), 1e-13);
  EXPECT_LT(relative(got.mean_y(targets), y.colwise().mean().transpose()), 1e-13);
  EXPECT_LT(relative(got.squares_y(targets), cy.colwise().squaredNorm().transpose()), 1e-13);
  EXPECT_LT(relative(got.gram(), cx.transpose() * cx), 1e-13);
  EXPECT_LT(relative(got.cross(targets), cx.transpose() * cy), 1e-13);
  EXPECT_LT(relative(got.cross<float>(targets, VectorD::Constant(targets.size(), 0.5)).cast<double>(),
                     0.5 * cx.transpose() * cy),
            1e-7);
}

TEST(Statistics, OfSomeRowsAndColumnsEqualDirectSums) {
  const MatrixD x = random_rows(30, 5, 1), y = random_rows(30, 3, 2);
  const std::vector<Statistics> parts{statistics_of(x.topRows(12), y.topRows(12), 0.25),
                                      statistics_of(x.bottomRows(18), y.bottomRows(18), 0.25)};
  const Statistics all = sum_of(parts);
  const Range some{1, 3};
  expect_centred(all, some, x, y.middleCols(1, 2));
  const MatrixD rest = x.bottomRows(18), rest_y = y.bottomRows(18).middleCols(1, 2);
  const CentredStatistics without(all, parts[0]);
  expect_centred(without, some, rest, rest_y);
  const std::vector<Index> first{3, 0, 4}, second{2, 0};
  expect_centred(without.select(first), some, rest(Eigen::all, first), rest_y);
  expect_centred(without.select(first).select(second), some, rest(Eigen::all, std::vector<Index>{4, 3}),
                 rest_y);
  const std::vector<Statistics> unlike{parts[0], statistics_of(x, y, 0.5)};
  EXPECT_THROW(sum_of(unlike), Error);
  EXPECT_THROW(sum_of({}), Error);
  EXPECT_THROW(CentredStatistics(unlike[0], unlike[1]), Error);
  EXPECT_THROW(without.select({}), Error);
}

TEST(Statistics, ConstantTargetsHaveNoSquares) {
  const MatrixD x = random_rows(40, 2, 3), y = MatrixD::Constant(40, 2, 1.0 / 3);
  const Statistics all = statistics_of(x, y, 0.7), part = statistics_of(x.topRows(9), y.topRows(9), 0.7);
  EXPECT_EQ(CentredStatistics(all).squares_y({0, 2}), VectorD::Zero(2));
  EXPECT_EQ(CentredStatistics(all, part).squares_y({0, 2}), VectorD::Zero(2));
}

/// Scores of fits on x, y for the held-out rows of `test`, from statistics.
HeldOut scores_from_statistics(const MatrixD& x, const MatrixD& y, const Statistics& test,
                               const std::vector<double>& alphas, Products products = Products::whole) {
  const Statistics fitted = statistics_of(x, y, 0.25);
  const CentredStatistics fit = fitted;
  return held_out(RidgeAxes(fit, linalg::eigh(fit.gram())), fit, test, alphas, products);
}

/// Ridge predictions of new rows from the normal equations of centred rows.
MatrixD plain_predictions(const MatrixD& x, const MatrixD& y, const MatrixD& new_x, double alpha) {
  const Eigen::RowVectorXd mean_x = x.colwise().mean(), mean_y = y.colwise().mean();
  const MatrixD cx = x.rowwise() - mean_x, cy = y.rowwise() - mean_y;
  MatrixD gram = cx.transpose() * cx;
  gram.diagonal().array() += alpha;
  const MatrixD weights = gram.llt().solve(cx.transpose() * cy);
  return ((new_x.rowwise() - mean_x) * weights).rowwise() + mean_y;
}

std::vector<double> with_zero(std::vector<double> alphas) {
  alphas.push_back(0.0);
  return alphas;
}

/// Held-out scores from statistics equal those of predictions row by row, whatever form the products take.
void compare_held_out(Index columns, Index targets, Index test_rows, Products products, double tolerance,
                      std::vector<double> alphas = with_zero(default_alphas())) {
  const Index n = 4 * columns;
  const MatrixD x = graded(n + test_rows, columns, 3);
  const MatrixD y = x * random_rows(columns, targets, 4) + 2.0 * random_rows(n + test_rows, targets, 5, 1.0);
  const auto got = scores_from_statistics(
      x.topRows(n), y.topRows(n), statistics_of(x.bottomRows(test_rows), y.bottomRows(test_rows), -0.5),
      alphas, products);
  EXPECT_GT(got.products, 0);
  EXPECT_LE(got.products, std::ssize(alphas) * targets > columns ? 4.0 : 2.0 * std::ssize(alphas));
  const MatrixD test_y = y.bottomRows(test_rows);
  const MatrixD centred_y = test_y.rowwise() - test_y.colwise().mean();
  for (std::size_t a = 0; a < alphas.size(); ++a) {
    const MatrixD predicted =
        plain_predictions(x.topRows(n), y.topRows(n), x.bottomRows(test_rows), alphas[a]);
    const MatrixD centred = predicted.rowwise() - predicted.colwise().mean();
    for (Index v = 0; v < targets; ++v) {
      const double sse = (test_y.col(v) - predicted.col(v)).squaredNorm();
      const double r =
          centred.col(v).dot(centred_y.col(v)) / (centred.col(v).norm() * centred_y.col(v).norm());
      EXPECT_NEAR(got.r(static_cast<Index>(a), v), r, tolerance) << alphas[a];
      EXPECT_NEAR(got.r2(static_cast<Index>(a), v), 1 - sse / centred_y.col(v).squaredNorm(), tolerance);
    }
  }
}

TEST(HeldOut, FromStatisticsEqualsPredictionsRowByRow) {
  for (const auto& [products, tolerance] : {std::pair{Products::whole, 1e-9}, {Products::single, 1e-6}}) {
    compare_held_out(40, 3, 70, products, tolerance);
    compare_held_out(12, 60, 9, products, tolerance);
    compare_held_out(90, 130, 300, products, tolerance);
    compare_held_out(20, 1100, 50, products, tolerance);  // several tiles
  }
  compare_held_out(250, 240, 300, Products::whole, 1e-9, {3.0});  // several tiles, by alpha
}

TEST(HeldOut, LargeDirectionsAreNotRoundedIntoSmallOnes) {
  const Index columns = 60, targets = 200;
  MatrixD x = random_rows(300, columns, 8);
  x.col(0) *= 1000;
  const MatrixD y = x * random_rows(columns, targets, 9);
  const Statistics fitted = statistics_of(x, y, 0.0);
  const CentredStatistics fit = fitted;
  const RidgeAxes axes(fit, linalg::eigh(fit.gram()));
  const Statistics some = statistics_of(x.topRows(80), y.topRows(80), 0.0);
  const CentredStatistics test = some;
  const std::vector<double> alphas{1.0};
  const HeldOutRows rows(axes, test, alphas, targets, Products::single);
  ASSERT_TRUE(rows.single());
  const Range all{0, targets};
  const MatrixD expected =
      axes.values().cwiseSqrt().cwiseInverse().asDiagonal() * (axes.vectors().transpose() * fit.cross(all));
  // Of each direction beside the small ones together, as the fit sees them.
  const VectorD lengths = expected.bottomRows(columns - 1).colwise().norm();
  const MatrixD wrong = (rows.projected<float>(fit, all, VectorD::Ones(targets)).cast<double>() - expected)
                            .bottomRows(columns - 1);
  for (Index v = 0; v < targets; ++v) EXPECT_LT(wrong.col(v).cwiseAbs().maxCoeff(), 3e-7 * lengths[v]) << v;
}

/// Columns whose variances fall over ten decades, and targets that follow the smallest of them: what float32 products, and
/// the path of all alphas in float64, cannot resolve at large alphas is made again.
TEST(HeldOut, IsAsExactWhereOnlySmallDirectionsCount) {
  const Index columns = 40, targets = 80;
  MatrixD x = random_rows(280, columns, 12);
  for (Index j = 0; j < columns; ++j) {
    x.col(j) *= std::pow(10.0, -5.0 * static_cast<double>(j) / static_cast<double>(columns - 1));
  }
  // In the rows of the fit nothing follows the leading directions.
  MatrixD y = x.rightCols(4) * 1e5 * random_rows(4, targets, 13);
  MatrixD leading(200, 31);
  leading << VectorD::Ones(200), x.topLeftCorner(200, 30);
  const MatrixD followed = leading * leading.householderQr().solve(y.topRows(200));
  y.topRows(200) -= followed;
  const auto scores_of = [&](Index count, Products products, double unit = 1) {
    const MatrixD in_unit = unit * y;
    const Statistics fitted = statistics_of(x.topRows(200), in_unit.topRows(200).leftCols(count), 0.0);
    const CentredStatistics fit = fitted;
    const RidgeAxes axes(fit, linalg::eigh(fit.gram()));
    const Statistics some = statistics_of(x.bottomRows(80), in_unit.bottomRows(80).leftCols(count), 0.0);
    return held_out(axes, fit, some, {1e-6, 1e-2, 1.0, 0.9 * axes.values()[0]}, products);
  };
  const HeldOut by_alpha = scores_of(9, Products::whole);  // too few for the path
  for (const auto& [products, tolerance] : {std::pair{Products::whole, 1e-8}, {Products::single, 1e-6}}) {
    for (const double unit : {1.0, 1e-12, 1e-20, 1e15}) {
      const HeldOut got = scores_of(targets, products, unit);
      EXPECT_LT((got.r.leftCols(9) - by_alpha.r).cwiseAbs().maxCoeff(), tolerance) << unit;
      EXPECT_LT((got.r2.leftCols(9) - by_alpha.r2).cwiseAbs().maxCoeff(), tolerance) << unit;
    }
  }
}

TEST(HeldOut, DoesNotDependOnTheUnitsOfResponses) {
  const Index columns = 20, targets = 90;
  const MatrixD x = random_rows(200, columns, 21);
  const MatrixD y = x * random_rows(columns, targets, 22) + random_rows(200, targets, 23);
  const auto scores_in = [&](double unit, Products products) {
    const MatrixD in_unit = unit * y;
    const Statistics fitted = statistics_of(x.topRows(150), in_unit.topRows(150), 0.0);
    const Statistics some = statistics_of(x.bottomRows(50), in_unit.bottomRows(50), 0.0);
    const CentredStatistics fit = fitted;
    return held_out(RidgeAxes(fit, linalg::eigh(fit.gram())), fit, some, {1.0, 100.0}, products);
  };
  const HeldOut expected = scores_in(1.0, Products::whole);
  for (const double unit : {1e-30, 1e-13, 1e13, 1e30}) {
    const HeldOut got = scores_in(unit, Products::single);
    EXPECT_LT((got.r - expected.r).cwiseAbs().maxCoeff(), 1e-6) << unit;
    EXPECT_LT((got.r2 - expected.r2).cwiseAbs().maxCoeff(), 1e-6) << unit;
  }
}

/// A column that varies in the held-out rows alone.
TEST(HeldOut, FitsWithoutDirectionsPredictTheMean) {
  const MatrixD x = MatrixD::Zero(40, 3), other = random_rows(10, 3, 31), y = random_rows(50, 70, 32);
  for (const auto products : {Products::whole, Products::single}) {
    const auto got = scores_from_statistics(x, y.topRows(40), statistics_of(other, y.bottomRows(10), 0.25),
                                            {1.0, 0.0}, products);
    EXPECT_EQ(got.r, MatrixD::Zero(2, 70));
    for (Index v = 0; v < 70; ++v) {
      const VectorD truth = y.col(v).tail(10);
      const double sse = (truth.array() - y.col(v).head(40).mean()).square().sum();
      EXPECT_NEAR(got.r2(0, v), 1 - sse / (truth.array() - truth.mean()).square().sum(), 1e-12);
    }
  }
}

TEST(HeldOut, ConstantTruthScoresNothing) {
  const MatrixD x = random_rows(50, 4, 6);
  const MatrixD y = random_rows(50, 2, 7);
  const auto got =
      scores_from_statistics(x.topRows(40), y.topRows(40),
                             statistics_of(x.bottomRows(10), MatrixD::Constant(10, 2, 3.0), -3.0), {1.0});
  EXPECT_EQ(got.r(0, 0), 0.0);
  EXPECT_EQ(got.r2(0, 1), 0.0);
}

}  // namespace
}  // namespace cinecortex::encoding
