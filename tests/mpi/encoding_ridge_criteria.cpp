#include <Eigen/Cholesky>

#include "cinecortex/core/error.hpp"
#include "cinecortex/parallel/threads.hpp"
#include "ridge_refits.hpp"

namespace cinecortex::encoding {
namespace {

TEST(RidgeKFold, SeasonsAreFoldsOfEqualLabelsAndRMayBeTheMeasure) {
  const auto comm = Communicator::world();
  const Data data = random_data(48, 6, 9, {12, 10, 14, 12}, 41);
  const std::vector<double> alphas{1e-3, 0.1, 1.0, 10.0};
  RidgeOptions options{.alphas = alphas, .criterion = "leave-one-season-out"};
  options.season_of = {7, 2, 7, 7};
  const auto by_season = fit(data, options, comm);
  EXPECT_EQ(by_season.cv_name, "cv_r2");
  Rows first(10), second;
  std::iota(first.begin(), first.end(), 12);
  for (Index i = 0; i < 48; ++i) {
    if (i < 12 || i >= 22) second.push_back(i);
  }
  expect_fit(by_season, data, alphas, refit_r2(data, alphas, {first, second}), comm, 1e-7);

  options.measure = "r";
  const auto by_r = fit(data, options, comm);
  EXPECT_EQ(by_r.cv_name, "cv_r");
  MatrixD r = MatrixD::Zero(4, 9);
  refit(data, alphas, {first, second}, [&](Index a, const MatrixD& truth, const MatrixD& prediction) {
    const MatrixD u = truth.rowwise() - truth.colwise().mean(),
                  w = prediction.rowwise() - prediction.colwise().mean();
    r.row(a).array() += 0.5 * (u.array() * w.array()).colwise().sum() /
                        (u.colwise().norm().array() * w.colwise().norm().array());
  });
  const Range own = partition(9, comm.size(), comm.rank());
  EXPECT_LT(largest_relative(by_r.cv, r.middleCols(own.begin, own.size())), 1e-7);

  options.season_of = {1, 1, 1, 1};
  EXPECT_THROW(fit(data, options, comm), InputError);
}

TEST(RidgeGcv, EqualsItsFormula) {
  const auto comm = Communicator::world();
  for (const Index p : {7, 50}) {
    const Data data = random_data(30, p, 5, {12, 18}, 21);
    const std::vector<double> alphas{1e-3, 0.1, 10.0, 1000.0};
    const auto result = fit(data, {.alphas = alphas, .criterion = "gcv"}, comm);
    EXPECT_EQ(result.cv_name, "cv_gcv");
    MatrixD expected(4, 5);
    for (Index a = 0; a < 4; ++a) {
      const double alpha = alphas[static_cast<std::size_t>(a)];
      const MatrixD x = data.x.rowwise() - data.x.colwise().mean();
      const MatrixD dual = x * x.transpose() + alpha * MatrixD::Identity(30, 30);
      const double df = 1.0 + dual.ldlt().solve(x * x.transpose()).trace();
      const MatrixD errors = data.y - plain_ridge(data.x, data.y, alpha).predict(data.x);
      expected.row(a) = errors.colwise().squaredNorm() / 30.0 / std::pow(1.0 - df / 30.0, 2);
    }
    expect_fit(result, data, alphas, expected, comm);
    expect_least(result, alphas);
  }
}

TEST(RidgeGcv, HasALimitWhereTheFitIsPerfect) {
  const auto comm = Communicator::world();
  const Data data = random_data(10, 30, 3, {10}, 22);
  const auto tiny = fit(data, {.alphas = {1e-10}, .criterion = "gcv"}, comm);
  const auto zero = fit(data, {.alphas = {0.0}, .criterion = "gcv"}, comm);
  EXPECT_LT(largest_relative(zero.cv, tiny.cv), 1e-8);
}

TEST(RidgeLeaveOneRunOut, EqualsRefitting) {
  const auto comm = Communicator::world();
  const RidgeOptions options{.alphas = some_alphas, .criterion = "leave-one-run-out"};
  for (const auto& [n, p, rows] : {std::tuple{50, 9, Rows{20, 13, 0, 17}},
                                   {17, 40, {6, 4, 7}},
                                   {30, 22, {11, 9, 10}},  // rows without a run are fewer than columns
                                   {20, 20, {15, 5}},
                                   {12, 4, Rows(12, 1)}}) {
    const Data data = random_data(n, p, 6, rows, 23);
    const auto result = fit(data, options, comm);
    EXPECT_EQ(result.cv_name, "cv_mse");
    expect_fit(result, data, some_alphas, refit_errors(data, some_alphas, contiguous(rows)), comm, 1e-6);
    expect_least(result, some_alphas);
  }
}

/// Runs that the others can do without take a short way, others a long one: here both, in one fit.
TEST(RidgeLeaveOneRunOut, EqualsRefittingForEveryAlphaOfTheGrid) {
  const auto comm = Communicator::world();
  const Rows rows{40, 8, 90, 25, 31, 40, 66};
  Data data = random_data(300, 12, 7, rows, 28);
  for (Index j = 0; j < 12; ++j) data.x.col(j) *= std::pow(0.5, static_cast<double>(j));
  // One column varies in the fourth run alone but for a little.
  data.x.col(5).array() *= 0.02;
  data.x.col(5).segment(138, 25).array() *= 50.0;
  std::vector<double> alphas = default_alphas();
  alphas.push_back(0.0);
  const auto result = fit(data, {.alphas = alphas, .criterion = "leave-one-run-out"}, comm);
  expect_fit(result, data, alphas, refit_errors(data, alphas, contiguous(rows)), comm, 1e-8);
  const auto single = fit_ridge(SingleSource(data.x, rows), SingleSource(data.y, rows),
                                {.alphas = alphas, .criterion = "leave-one-run-out"}, comm);
  EXPECT_LT(largest_relative(single.cv, result.cv), 1e-5);
}

TEST(RidgeLeaveOneRunOut, TakesMoreTargetsThanFitATile) {
  const auto comm = Communicator::world();
  const Rows rows{30, 40, 35, 35};
  const Data data = random_data(140, 10, 600, rows, 29);
  const auto all = fit(data, {.alphas = some_alphas, .criterion = "leave-one-run-out"}, comm);
  expect_fit(all, data, some_alphas, refit_errors(data, some_alphas, contiguous(rows)), comm, 1e-7);
}

TEST(RidgeLeaveOneRunOut, IsLeaveOneOutForRunsOfOneRow) {
  const auto comm = Communicator::world();
  const Data data = random_data(16, 5, 3, Rows(16, 1), 24);
  const auto rows = fit(data, {.alphas = some_alphas}, comm);
  const auto runs = fit(data, {.alphas = some_alphas, .criterion = "leave-one-group-out"}, comm);
  EXPECT_LT(largest_relative(runs.cv, rows.cv), 1e-10);
}

TEST(RidgeLeaveOneRunOut, NeedsTwoRuns) {
  const auto comm = Communicator::world();
  EXPECT_THROW(
      fit(random_data(16, 5, 3, {16, 0}, 24), {.alphas = {1.0}, .criterion = "leave-one-run-out"}, comm),
      InputError);
}

TEST(RidgeKFold, EqualsRefittingOnFoldsOfRowsAndOfRuns) {
  const auto comm = Communicator::world();
  const std::vector<double> alphas{1e-3, 0.1, 1.0, 10.0, 1000.0};
  for (const Index p : {6, 60}) {
    const Data whole = random_data(32, p, 5, {32}, 25);
    const auto by_rows = fit(whole, {.alphas = alphas, .criterion = "kfold:5"}, comm);
    EXPECT_EQ(by_rows.cv_name, "cv_r2");
    const auto cv = refit_r2(whole, alphas, contiguous({7, 7, 6, 6, 6}));
    expect_fit(by_rows, whole, alphas, cv, comm, 1e-7);
    for (Index v = 0; v < by_rows.alpha.size(); ++v) {
      Index best = 0;
      cv.col(by_rows.targets_local.begin + v).maxCoeff(&best);
      EXPECT_EQ(by_rows.alpha[v], alphas[static_cast<std::size_t>(best)]);
    }
    const Data runs = random_data(32, p, 5, {5, 0, 9, 3, 8, 7}, 26);
    const auto by_runs = fit(runs, {.alphas = alphas, .criterion = "kfold:2"}, comm);
    expect_fit(by_runs, runs, alphas, refit_r2(runs, alphas, contiguous({17, 15})), comm, 1e-7);
  }
}

TEST(RidgeKFold, IsTheSameWithFoldsSideBySide) {
  const auto comm = Communicator::world();
  const Data data = random_data(90, 12, 5, {20, 25, 15, 30}, 30);
  const auto one_by_one = fit(data, {.alphas = default_alphas(), .criterion = "kfold:4"}, comm);
  parallel::set_openmp_threads(3);
  const auto side_by_side = fit(data, {.alphas = default_alphas(), .criterion = "kfold:4"}, comm);
  parallel::set_openmp_threads(1);
  EXPECT_LT(largest_relative(side_by_side.cv, one_by_one.cv), 1e-12);
  EXPECT_EQ(side_by_side.alpha, one_by_one.alpha);
}

TEST(RidgeKFold, ColumnsThatDoNotVaryPredictTheMean) {
  for (const Index columns : {3, 20}) {  // primal and dual
    Data data = random_data(12, columns, 2, {4, 4, 4}, 37);
    data.x.setConstant(2);
    const auto result = fit(data, {.alphas = {1, 0}, .criterion = "kfold:3"}, Communicator::world());
    EXPECT_TRUE(result.cv.allFinite());
    EXPECT_TRUE(result.weights.isZero());
    EXPECT_TRUE((result.cv.array() <= 0).all()) << "no better than the mean";
  }
}

TEST(RidgeKFold, AFoldWithConstantTruthCountsAsZero) {
  Data data = random_data(21, 3, 6, {7, 7, 7}, 38);
  data.y.bottomRows(7).rowwise() = Eigen::RowVectorXd{{0.1, 0.3, 1.0 / 3, 7.7, 6.9, 0.0}};
  const std::vector<double> alphas{0.1, 10};
  const auto comm = Communicator::world();
  const auto result = fit(data, {.alphas = alphas, .criterion = "kfold:3"}, comm);
  auto others = contiguous({7, 7, 7});
  others.pop_back();
  expect_fit(result, data, alphas, refit_r2(data, alphas, others) * (2.0 / 3), comm, 1e-7);
}

TEST(RidgeKFold, RefusesMoreFoldsThanTheDataHave) {
  const auto comm = Communicator::world();
  EXPECT_THROW(fit(random_data(9, 2, 1, {9}, 27), {.alphas = {1.0}, .criterion = "kfold:5"}, comm),
               InputError);
  EXPECT_THROW(fit(random_data(9, 2, 1, {4, 5}, 27), {.alphas = {1.0}, .criterion = "kfold:3"}, comm),
               InputError);
}

}  // namespace
}  // namespace cinecortex::encoding
