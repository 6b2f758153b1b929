#include <Eigen/Cholesky>

#include "ridge_refits.hpp"

namespace cinecortex::encoding {
namespace {

void expect_leave_one_out(const Data& data, const Communicator& comm, double tolerance = 1e-8) {
  const RidgeOptions options{.alphas = some_alphas};
  const auto result = fit(data, options, comm);
  EXPECT_EQ(result.form, data.x.cols() <= data.x.rows() ? "primal" : "dual");
  EXPECT_EQ(result.cv_name, "cv_mse");
  expect_fit(result, data, some_alphas, refit_errors(data, some_alphas, single_rows(data.x.rows())), comm,
             tolerance);
  expect_least(result, some_alphas);
}

TEST(RidgeLeaveOneOut, EqualsRefitting) {
  const auto comm = Communicator::world();
  expect_leave_one_out(random_data(50, 9, 7, {20, 13, 17}, 1), comm);
  expect_leave_one_out(random_data(50, 9, 7, {50}, 2), comm);
  expect_leave_one_out(random_data(50, 9, 7, {1, 0, 30, 2, 17, 0}, 3), comm);
}

TEST(RidgeLeaveOneOut, EqualsRefittingWithFewerRowsThanColumns) {
  const auto comm = Communicator::world();
  expect_leave_one_out(random_data(17, 40, 6, {6, 11}, 4), comm);
  expect_leave_one_out(random_data(12, 13, 6, {12}, 5), comm);
}

TEST(RidgeLeaveOneOut, EqualsRefittingWhereRowsAndColumnsAreAsMany) {
  const auto comm = Communicator::world();
  for (const Index n : {14, 15, 16, 17})
    expect_leave_one_out(random_data(n, 14, 5, {8, n - 8}, 6), comm, 1e-6);
}

TEST(RidgeLeaveOneOut, EqualsRefittingForRowsOfHighLeverage) {
  const auto comm = Communicator::world();
  Data data = random_data(40, 8, 6, {15, 25}, 7);
  data.x.row(4) *= 300.0;
  data.x.row(30) *= -40.0;
  expect_leave_one_out(data, comm, 1e-7);
}

TEST(RidgeLeaveOneOut, IsTheLimitWhereARowCarriesADirectionAlone) {
  const auto comm = Communicator::world();
  Data data = random_data(30, 5, 4, {12, 18}, 8);
  data.x.col(2).setZero();
  data.x(7, 2) = 1.0;  // leverage 1 of row 7 without a penalty
  expect_leave_one_out(data, comm);
}

TEST(RidgeLeaveOneOut, ManyTargetsFillAGridOfRunsAndTargets) {
  const auto comm = Communicator::world();
  expect_leave_one_out(random_data(24, 5, 131, {9, 8, 7}, 9), comm);
  expect_leave_one_out(random_data(9, 15, 263, {4, 5}, 10), comm);
}

TEST(RidgeLeaveOneOut, SmallestShapes) {
  const auto comm = Communicator::world();
  expect_leave_one_out(random_data(6, 1, 1, {6}, 11), comm);
  expect_leave_one_out(random_data(2, 1, 1, {1, 1}, 12), comm);
  expect_leave_one_out(random_data(2, 3, 2, {2}, 13), comm);
  const auto none = fit(random_data(8, 3, 0, {8}, 14), {.alphas = {1.0, 2.0}}, comm);
  EXPECT_EQ(none.alpha.size(), 0);
  EXPECT_EQ(none.weights.rows(), 3);
}

TEST(RidgeLeaveOneOut, ConstantAndEqualColumnsShareOrStayOut) {
  const auto comm = Communicator::world();
  Data data = random_data(30, 6, 5, {11, 19}, 15);
  data.x.col(1).setConstant(0.1);
  data.x.col(4) = data.x.col(3);
  expect_leave_one_out(data, comm);
  const auto result = fit(data, {.alphas = some_alphas}, comm);
  for (Index v = 0; v < result.weights.cols(); ++v) {
    EXPECT_NEAR(result.weights(1, v), 0.0, 1e-12);
    EXPECT_NEAR(result.weights(3, v), result.weights(4, v), 1e-10);
  }
  Data flat = random_data(10, 2, 3, {10}, 16);
  flat.x.setConstant(3.0);  // nothing to learn from: the mean
  expect_leave_one_out(flat, comm);
}

TEST(RidgeLeaveOneOut, ConstantTargetsAreTheirMeanWithTheLargestAlpha) {
  const auto comm = Communicator::world();
  for (const Index p : {4, 40}) {
    Data data = random_data(25, p, 4, {10, 15}, 17);
    data.y.setConstant(0.1);
    const auto result = fit(data, {.alphas = {1.0, 100.0, 0.0}}, comm);
    EXPECT_EQ(result.alpha, VectorD::Constant(result.targets_local.size(), 100.0));
    EXPECT_EQ(result.cv, MatrixD::Zero(3, result.targets_local.size()));
    EXPECT_EQ(result.weights, MatrixD::Zero(p, result.targets_local.size()));
    EXPECT_EQ(result.intercept, VectorD::Constant(result.targets_local.size(), 0.1));
  }
}

TEST(RidgeLeaveOneOut, LargeMeansCostNoDigits) {
  const auto comm = Communicator::world();
  const Data near = random_data(60, 5, 4, {25, 35}, 18);
  Data far = near;
  far.x.array() += 1e7;
  far.y.array() -= 1e7;
  const auto expected = refit_errors(near, some_alphas, single_rows(60));
  const auto result = fit(far, {.alphas = some_alphas}, comm);
  const Range own = result.targets_local;
  // The data themselves are rounded to 1e-9.
  EXPECT_LT(largest_relative(result.cv, expected.middleCols(own.begin, own.size())), 1e-5);
}

TEST(RidgeLeaveOneOut, OneAlphaForAllHasTheLeastMeanError) {
  const auto comm = Communicator::world();
  const Data data = random_data(40, 10, 7, {15, 25}, 19);
  const auto result = fit(data, {.alphas = some_alphas, .per_target = false}, comm);
  const auto cv = refit_errors(data, some_alphas, single_rows(40));
  expect_fit(result, data, some_alphas, cv, comm);
  Index best = 0;
  cv.rowwise().mean().minCoeff(&best);
  for (Index v = 0; v < result.alpha.size(); ++v) {
    EXPECT_EQ(result.alpha[v], some_alphas[static_cast<std::size_t>(best)]);
  }
}

TEST(RidgeLeaveOneOut, TargetsWithoutNoiseAndWithoutSignalChooseTheGridsEdges) {
  const auto comm = Communicator::world();
  Data data = random_data(60, 5, 3, {30, 30}, 20);
  data.y.col(0) = 3.0 * data.x.col(0) - data.x.col(1);  // no noise: the smallest alpha
  data.y.col(1) = random_matrix(60, 1, 99);             // nothing but noise: the largest
  data.y.col(2) = data.y.col(0) + 3.0 * data.y.col(1);
  const auto result = fit(data, {.alphas = {1e-3, 10.0, 1e7}}, comm);
  const Range own = partition(3, comm.size(), comm.rank());
  for (Index v = own.begin; v < own.end; ++v) {
    if (v == 0) {
      EXPECT_EQ(result.alpha[v - own.begin], 1e-3);
    }
    if (v == 1) {
      EXPECT_EQ(result.alpha[v - own.begin], 1e7);
    }
  }
}

/// Leave-one-out from the whole hat matrix, exact to rounding: e / (1 - h), alpha by alpha.
MatrixD plain_leave_one_out(const MatrixD& x, const MatrixD& y, const std::vector<double>& alphas) {
  const MatrixD cx = x.rowwise() - x.colwise().mean(), cy = y.rowwise() - y.colwise().mean();
  MatrixD mse(static_cast<Index>(alphas.size()), y.cols());
  for (std::size_t a = 0; a < alphas.size(); ++a) {
    MatrixD system = cx.transpose() * cx;
    system.diagonal().array() += alphas[a];
    const MatrixD half = system.ldlt().solve(cx.transpose());
    const VectorD h =
        (cx.array() * half.transpose().array()).rowwise().sum() + 1.0 / static_cast<double>(x.rows());
    const MatrixD e = cy - cx * (half * cy);
    mse.row(static_cast<Index>(a)) =
        ((1.0 - h.array()).inverse().matrix().asDiagonal() * e).colwise().squaredNorm() /
        static_cast<double>(x.rows());
  }
  return mse;
}

TEST(RidgeLeaveOneOut, FewPassesGiveTheWholeCurveWithinItsBound) {
  const auto comm = Communicator::world();
  const auto alphas = default_alphas();
  for (const Index p : {30, 120}) {
    const Data data = leveraged_data(600, p, 70, 17);
    const MatrixD expected = plain_leave_one_out(data.x, data.y, alphas);
    const auto result = fit(data, {.alphas = alphas}, comm);
    const Range own = partition(70, comm.size(), comm.rank());
    const double error = largest_relative(result.cv, expected.middleCols(own.begin, own.size()));
    constexpr double rounding = 1e-10;
    EXPECT_LT(error, 1e-6);
    EXPECT_LE(error, result.cv_error_bound + rounding);
    EXPECT_LT(result.cv_error_bound, 1e-6);
    EXPECT_GT(result.exact_rows, 0);
    for (Index v = 0; v < own.size(); ++v) {
      EXPECT_EQ(alphas[static_cast<std::size_t>(
                    std::min_element(expected.col(own.begin + v).begin(), expected.col(own.begin + v).end()) -
                    expected.col(own.begin + v).begin())],
                result.alpha[v]);
    }
  }
}

TEST(RidgeLeaveOneOut, RowsOfHighLeverageMayBeMoreThanAreTakenAtOnce) {
  const auto comm = Communicator::world();
  constexpr Index loud = 290;  // rows with a column of their own; 256 are taken at once
  Data data = random_data(640, 300, 260, {3, 400, 237}, 33);
  for (Index i = 0; i < loud; ++i) data.x(2 * i, i) += 1e3;
  const MatrixD expected = plain_leave_one_out(data.x, data.y, some_alphas);
  const auto result = fit(data, {.alphas = some_alphas}, comm);
  EXPECT_GE(result.exact_rows, loud);
  const Range own = result.targets_local;
  EXPECT_LT(largest_relative(result.cv, expected.middleCols(own.begin, own.size())), 1e-6);
}

template <class Source>
void expect_the_same_from_kept_rows(const Data& data) {
  const auto comm = Communicator::world();
  const auto alphas = default_alphas();
  const Source x(data.x, data.block_rows), y(data.y, data.block_rows);
  const MatrixD rounded_x = data.x.cast<float>().cast<double>(),
                rounded_y = data.y.cast<float>().cast<double>();
  const bool single = x.single_precision();
  const MatrixD expected =
      plain_leave_one_out(single ? rounded_x : data.x, single ? rounded_y : data.y, alphas);
  const Index of_all = data.x.size() * (single ? 4 : 8);
  for (const Index cache_bytes : {Index{0}, of_all / comm.size() * 2 / 3, of_all}) {
    MatrixD curve;
    Range own;
    fit_ridge(x, y, {.alphas = alphas}, {.targets_at_once = 0, .cache_bytes = cache_bytes}, comm,
              [&](RidgeFit fit) {
                curve = std::move(fit.cv);
                own = fit.targets_local;
              });
    EXPECT_LT(largest_relative(curve, expected.middleCols(own.begin, own.size())), 1e-6)
        << cache_bytes << " of " << of_all << " bytes";
  }
}

TEST(RidgeLeaveOneOut, RowsAreKeptAsFarAsTheyFit) {
  Data few = random_data(8000, 20, 5, {700, 900, 0, 1600, 800, 600, 900, 2500}, 35);
  few.y += random_matrix(8000, 5, 37);  // float32 holds no more digits of what is nearly explained
  expect_the_same_from_kept_rows<MemorySource>(few);
  expect_the_same_from_kept_rows<SingleSource>(few);
  Data many = random_data(4000, 20, 300, {700, 900, 1100, 500, 800}, 36);  // on several columns of ranks
  many.y += random_matrix(4000, 300, 38);
  expect_the_same_from_kept_rows<SingleSource>(many);
}

/// 128 targets are two columns of two ranks, 127 are one: the rows are dealt anew.
TEST(RidgeLeaveOneOut, TargetsAtATimeMayNeedAnotherGrid) {
  const auto comm = Communicator::world();
  Data data = random_data(600, 12, 255, {90, 200, 110, 60, 140}, 39);
  for (Index i = 0; i < 600; i += 50) data.x.row(i) *= 40.0;
  const MemorySource x(data.x, data.block_rows), y(data.y, data.block_rows);
  const MatrixD expected = plain_leave_one_out(data.x, data.y, some_alphas);
  for (const Index at_once : {Index{128}, Index{64} * comm.size()}) {
    Index covered = 0;
    fit_ridge(x, y, {.alphas = some_alphas}, {.targets_at_once = at_once}, comm, [&](const RidgeFit& part) {
      const Range own = part.targets_local;
      covered += own.size();
      EXPECT_LT(largest_relative(part.cv, expected.middleCols(own.begin, own.size())), 1e-6);
    });
    EXPECT_EQ(comm.sum(static_cast<std::int64_t>(covered)), 255);
  }
}

TEST(RidgeLeaveOneOut, OrdinaryDataNeedFewPasses) {
  const auto comm = Communicator::world();
  const auto result = fit(random_data(900, 60, 40, {300, 600}, 19), {.alphas = default_alphas()}, comm);
  EXPECT_LE(result.passes, 7);
  EXPECT_EQ(result.exact_rows, 0);
}

/// Columns whose variances fall as those of components do: most eigenvalues lie close together.
TEST(RidgeLeaveOneOut, ManySmallEigenvaluesNeedFewerPassesThanFewLargeOnes) {
  const auto comm = Communicator::world();
  const auto alphas = default_alphas();
  Data data = random_data(800, 480, 20, {300, 500}, 29);
  for (Index j = 0; j < 480; ++j) data.x.col(j) *= 3.0 / std::sqrt(static_cast<double>(j + 1));
  data.y = data.x * random_matrix(480, 20, 30) + random_matrix(800, 20, 31);
  const MatrixD expected = plain_leave_one_out(data.x, data.y, alphas);
  const auto result = fit(data, {.alphas = alphas}, comm);
  const Range own = partition(20, comm.size(), comm.rank());
  const double error = largest_relative(result.cv, expected.middleCols(own.begin, own.size()));
  EXPECT_LT(error, 1e-6);
  EXPECT_LE(error, result.cv_error_bound + 1e-10);
  EXPECT_LT(result.cv_error_bound, 1e-6);
  EXPECT_LT(result.passes, 8) << "9 where all eigenvalues share their terms";
}

}  // namespace
}  // namespace cinecortex::encoding
