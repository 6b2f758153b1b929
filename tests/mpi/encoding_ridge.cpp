#include "cinecortex/encoding/ridge.hpp"

#include <gtest/gtest.h>

#include <Eigen/Cholesky>
#include <Eigen/SVD>
#include <algorithm>
#include <numeric>
#include <random>
#include <string_view>

#include "cinecortex/core/error.hpp"
#include "cinecortex/parallel/threads.hpp"
#include "text_matrices.hpp"

// Every fit is compared with plain refits on the rows that are left, made by every rank for itself.
namespace cinecortex::encoding {
namespace {

using parallel::Communicator;
using Rows = std::vector<Index>;

MatrixD random_matrix(Index rows, Index columns, unsigned seed) {
  std::mt19937_64 engine(seed);
  std::normal_distribution<double> normal;
  MatrixD values(rows, columns);
  for (double& v : values.reshaped()) v = normal(engine);
  return values;
}

struct Data {
  MatrixD x, y;
  Rows block_rows;
};

/// Targets from nearly noise-free to nothing but noise, so that they choose different alphas.
Data random_data(Index n, Index p, Index t, Rows block_rows, unsigned seed) {
  Data data{random_matrix(n, p, seed), {}, std::move(block_rows)};
  data.x.rowwise() += 2.0 * random_matrix(1, p, seed + 1).row(0);
  data.y = data.x * random_matrix(p, t, seed + 2) / std::sqrt(static_cast<double>(p));
  const MatrixD noise = random_matrix(n, t, seed + 3);
  for (Index v = 0; v < t; ++v)
    data.y.col(v) += std::pow(10.0, static_cast<double>(v % 5) - 2.0) * noise.col(v);
  data.y.array() += 7.0;
  return data;
}

RidgeFit fit(const Data& data, const RidgeOptions& options, const Communicator& comm) {
  return fit_ridge(MemorySource(data.x, data.block_rows), MemorySource(data.y, data.block_rows), options,
                   comm);
}

struct Weights {
  MatrixD weights;  ///< [p, t]
  VectorD intercept;
  MatrixD predict(const MatrixD& x) const { return (x * weights).rowwise() + intercept.transpose(); }
};

/// Ridge by singular values of the centred rows; alpha = 0 is the fit of least norm.
Weights plain_ridge(const MatrixD& x, const MatrixD& y, double alpha) {
  const Eigen::RowVectorXd mean_x = x.colwise().mean();
  const Eigen::RowVectorXd mean_y = y.colwise().mean();
  const Eigen::BDCSVD<Eigen::MatrixXd> svd(x.rowwise() - mean_x, Eigen::ComputeThinU | Eigen::ComputeThinV);
  const VectorD& s = svd.singularValues();
  VectorD shrink = VectorD::Zero(s.size());
  for (Index j = 0; j < s.size(); ++j) {
    if (s[j] > 1e-7 * s[0]) shrink[j] = s[j] / (s[j] * s[j] + alpha);
  }
  Weights fit;
  fit.weights = svd.matrixV() * shrink.asDiagonal() * svd.matrixU().transpose() * (y.rowwise() - mean_y);
  fit.intercept = (mean_y - mean_x * fit.weights).transpose();
  return fit;
}

/// Which rows each refit leaves out.
using Splits = std::vector<Rows>;

Splits single_rows(Index n) {
  Splits splits;
  for (Index i = 0; i < n; ++i) splits.push_back({i});
  return splits;
}

Splits contiguous(const Rows& lengths) {
  Splits splits;
  Index first = 0;
  for (const Index length : lengths) {
    Rows rows(static_cast<std::size_t>(length));
    std::iota(rows.begin(), rows.end(), first);
    first += length;
    if (length > 0) splits.push_back(rows);
  }
  return splits;
}

/// Calls fn(alpha index, truth, prediction) for the rows each refit had not seen.
template <class Fn>
void refit(const Data& data, const std::vector<double>& alphas, const Splits& splits, Fn&& fn) {
  for (const Rows& out : splits) {
    Rows in;
    for (Index i = 0; i < data.x.rows(); ++i) {
      if (std::find(out.begin(), out.end(), i) == out.end()) in.push_back(i);
    }
    for (std::size_t a = 0; a < alphas.size(); ++a) {
      const Weights trained = plain_ridge(data.x(in, Eigen::all), data.y(in, Eigen::all), alphas[a]);
      fn(static_cast<Index>(a), MatrixD(data.y(out, Eigen::all)), trained.predict(data.x(out, Eigen::all)));
    }
  }
}

MatrixD refit_errors(const Data& data, const std::vector<double>& alphas, const Splits& splits) {
  MatrixD squares = MatrixD::Zero(static_cast<Index>(alphas.size()), data.y.cols());
  refit(data, alphas, splits, [&](Index a, const MatrixD& truth, const MatrixD& prediction) {
    squares.row(a) += (truth - prediction).colwise().squaredNorm();
  });
  return squares / static_cast<double>(data.x.rows());
}

MatrixD refit_r2(const Data& data, const std::vector<double>& alphas, const Splits& splits) {
  MatrixD r2 = MatrixD::Zero(static_cast<Index>(alphas.size()), data.y.cols());
  refit(data, alphas, splits, [&](Index a, const MatrixD& truth, const MatrixD& prediction) {
    const auto error = (truth - prediction).colwise().squaredNorm().array();
    const auto variation = (truth.rowwise() - truth.colwise().mean()).colwise().squaredNorm().array();
    r2.row(a).array() += 1.0 - error / variation;
  });
  return r2 / static_cast<double>(splits.size());
}

double largest_relative(const MatrixD& value, const MatrixD& expected) {
  if (expected.size() == 0) return 0;
  return ((value - expected).array() /
          expected.array().abs().max(1e-12 * expected.cwiseAbs().maxCoeff() + 1e-300))
      .abs()
      .maxCoeff();
}

double relative_norm(const MatrixD& value, const MatrixD& expected) {
  return (value - expected).norm() / std::max(expected.norm(), 1e-300);
}

/// The curve, the choice, and the weights that go with it.
void expect_fit(const RidgeFit& fit, const Data& data, const std::vector<double>& alphas, const MatrixD& cv,
                const Communicator& comm, double tolerance = 1e-8) {
  const Range own = partition(data.y.cols(), comm.size(), comm.rank());
  EXPECT_EQ(fit.targets_local, own);
  EXPECT_EQ(fit.targets_global, data.y.cols());
  EXPECT_EQ(fit.rows, data.x.rows());
  ASSERT_EQ(fit.cv.rows(), static_cast<Index>(alphas.size()));
  ASSERT_EQ(fit.cv.cols(), own.size());
  ASSERT_EQ(fit.weights.rows(), data.x.cols());
  ASSERT_EQ(fit.weights.cols(), own.size());
  EXPECT_LT(largest_relative(fit.cv, cv.middleCols(own.begin, own.size())), tolerance);
  for (Index v = 0; v < own.size(); ++v) {
    EXPECT_NE(std::find(alphas.begin(), alphas.end(), fit.alpha[v]), alphas.end());
    const Weights plain = plain_ridge(data.x, data.y.col(own.begin + v), fit.alpha[v]);
    EXPECT_LT((fit.weights.col(v) - plain.weights.col(0)).norm(), tolerance * (1e-3 + plain.weights.norm()));
    EXPECT_NEAR(fit.intercept[v], plain.intercept[0], tolerance * (1.0 + std::abs(plain.intercept[0])));
  }
}

void expect_least(const RidgeFit& fit, const std::vector<double>& alphas) {
  for (Index v = 0; v < fit.cv.cols(); ++v) {
    const auto at = std::find(alphas.begin(), alphas.end(), fit.alpha[v]) - alphas.begin();
    EXPECT_LE(fit.cv(at, v), fit.cv.col(v).minCoeff() * (1 + 2e-12));
  }
}

const std::vector<double> some_alphas{0.0, 1e-5, 1e-2, 0.1, 1.0, 10.0, 1000.0};

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

TEST(RidgeOptions, EdgesOfTheGridAreItsSmallestAndLargest) {
  const auto hits = edge_hits({10.0, 1e-3, 1e7}, {5, 2, 1});
  EXPECT_EQ(hits.low, 2);
  EXPECT_EQ(hits.high, 1);
  EXPECT_EQ(edge_hits({10.0}, {5}).low, 0);
}

/// What every source of float32 files says.
class SingleSource final : public BlockSource {
 public:
  SingleSource(const MatrixD& values, Rows rows)
      : source_(values.cast<float>().cast<double>(), std::move(rows)) {}
  Index blocks() const override { return source_.blocks(); }
  Index rows(Index block) const override { return source_.rows(block); }
  Index columns() const override { return source_.columns(); }
  std::string name(Index block) const override { return source_.name(block); }
  MatrixD read(Index block, Range columns) const override { return source_.read(block, columns); }
  bool single_precision() const override { return true; }

 private:
  MemorySource source_;
};

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

/// Rows of very different size: a few of them carry a direction nearly alone.
Data leveraged_data(Index n, Index p, Index t, unsigned seed) {
  Data data = random_data(n, p, t, {n / 4, n / 2, n - n / 4 - n / 2}, seed);
  for (Index j = 0; j < p; ++j)
    data.x.col(j) *= std::pow(10.0, -2.0 * static_cast<double>(j) / static_cast<double>(p));
  for (Index i = 0; i < n; i += 40) data.x.row(i) *= i % 80 == 0 ? 60.0 : 5.0;
  data.y = data.x * random_matrix(p, t, seed + 5) + random_matrix(n, t, seed + 6);
  return data;
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

TEST(RidgeSingle, DataOfSinglePrecisionGiveTheSameCurveAndChoice) {
  const auto comm = Communicator::world();
  const auto alphas = default_alphas();
  const Data data = leveraged_data(800, 50, 70, 23);
  const SingleSource x(data.x, data.block_rows), y(data.y, data.block_rows);
  const MatrixD rounded_x = data.x.cast<float>().cast<double>(),
                rounded_y = data.y.cast<float>().cast<double>();
  const auto single = fit_ridge(x, y, {.alphas = alphas}, comm);
  const auto plain = fit_ridge(MemorySource(rounded_x, data.block_rows),
                               MemorySource(rounded_y, data.block_rows), {.alphas = alphas}, comm);
  EXPECT_LT(largest_relative(single.cv, plain.cv), 1e-4);
  EXPECT_EQ(single.alpha, plain.alpha);
  EXPECT_LT(relative_norm(single.weights, plain.weights), 1e-4);
}

TEST(RidgeSingle, DirectionsTooSmallForFloat32AreSummedInFloat64) {
  const auto comm = Communicator::world();
  Data data = random_data(200, 6, 5, {90, 110}, 29);
  data.x.col(3) = data.x.col(1);                         // no variance of its own
  data.x.col(5) = data.x.col(2) + 1e-4 * data.x.col(5);  // hardly any
  const MatrixD rounded = data.x.cast<float>().cast<double>();
  const std::vector<double> alphas{0.0, 1e-15, 1e-3, 1.0};
  const auto single = fit_ridge(SingleSource(data.x, data.block_rows), SingleSource(data.y, data.block_rows),
                                {.alphas = alphas}, comm);
  const MatrixD y = data.y.cast<float>().cast<double>();
  expect_fit(single, {rounded, y, data.block_rows}, alphas,
             fit_ridge(MemorySource(rounded, data.block_rows), MemorySource(y, data.block_rows),
                       {.alphas = alphas}, Communicator::world().split(comm.rank(), 0))
                 .cv,
             comm, 1e-6);
}

TEST(RidgeBlocks, SomeTargetsAtATimeGiveTheSame) {
  const auto comm = Communicator::world();
  for (const Index p : {7, 60}) {
    const Data data = random_data(50, p, 23, {20, 14, 16}, 31);
    const MemorySource x(data.x, data.block_rows), y(data.y, data.block_rows);
    for (const auto* criterion : {"loo", "gcv", "kfold:3", "leave-one-run-out"}) {
      for (const bool per_target : {true, false}) {
        RidgeOptions options{.alphas = some_alphas, .criterion = criterion, .per_target = per_target};
        const auto whole = fit_ridge(x, y, options, Communicator::world().split(comm.rank(), 0));
        Index next = 0;
        fit_ridge(x, y, options, {.targets_at_once = 8}, comm, [&](const RidgeFit& part) {
          EXPECT_GE(part.targets_local.begin, next);
          next = part.targets_local.end;
          EXPECT_EQ(part.targets_global, 23);
          for (Index v = 0; v < part.targets_local.size(); ++v) {
            const Index global = part.targets_local.begin + v;
            EXPECT_EQ(part.alpha[v], whole.alpha[global]) << criterion;
            EXPECT_LT(relative_norm(part.weights.col(v), whole.weights.col(global)), 1e-9);
            EXPECT_LT(relative_norm(part.cv.col(v), whole.cv.col(global)), 1e-7);
          }
        });
      }
    }
  }
}

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
  Data data = random_data(12, 3, 2, {4, 4, 4}, 37);
  data.x.setConstant(2);
  const auto result = fit(data, {.alphas = {1, 0}, .criterion = "kfold:3"}, Communicator::world());
  EXPECT_TRUE(result.cv.allFinite());
  EXPECT_TRUE(result.weights.isZero());
  if (result.cv.size() > 0) EXPECT_LE(result.cv.maxCoeff(), 0) << "no better than the mean";
}

TEST(RidgeKFold, RefusesMoreFoldsThanTheDataHave) {
  const auto comm = Communicator::world();
  EXPECT_THROW(fit(random_data(9, 2, 1, {9}, 27), {.alphas = {1.0}, .criterion = "kfold:5"}, comm),
               InputError);
  EXPECT_THROW(fit(random_data(9, 2, 1, {4, 5}, 27), {.alphas = {1.0}, .criterion = "kfold:3"}, comm),
               InputError);
}

class RidgeParity : public ::testing::TestWithParam<const char*> {};

TEST_P(RidgeParity, EqualsScikitLearn) {
  const auto comm = Communicator::world();
  const auto fixture = read_text_matrices(std::string("parity/ridge/") + GetParam() + ".txt");
  const Data data{fixture.at("x"), fixture.at("y"), as_indices(fixture.at("block_rows"))};
  const MatrixD& list = fixture.at("alphas");
  const std::vector<double> alphas(list.data(), list.data() + list.size());
  const auto own_columns = [&](const char* name, Range own) -> MatrixD {
    return fixture.at(name).middleCols(own.begin, own.size());
  };

  const auto loo = fit(data, {.alphas = alphas}, comm);
  const Range own = loo.targets_local;
  EXPECT_EQ(MatrixD(loo.alpha.transpose()), own_columns("loo_alpha", own));
  EXPECT_LT(largest_relative(loo.cv, own_columns("loo_cv", own)), 1e-6);
  if (!own.empty()) {
    EXPECT_LT(relative_norm(loo.weights, own_columns("loo_weights", own)), 1e-6);
    EXPECT_LT(relative_norm(loo.intercept.transpose(), own_columns("loo_intercept", own)), 1e-6);
  }

  const auto runs = fit(data, {.alphas = alphas, .criterion = "leave-one-run-out"}, comm);
  EXPECT_LT(largest_relative(runs.cv, own_columns("group_mse", own)), 1e-6);
  const auto folds_of_runs =
      fit(data, {.alphas = alphas, .criterion = "kfold:" + std::to_string(data.block_rows.size())}, comm);
  EXPECT_LT(largest_relative(folds_of_runs.cv, own_columns("group_r2", own)), 1e-6);
  const Data one_block{data.x, data.y, {data.x.rows()}};
  if (data.x.rows() >= 10) {
    const auto folds_of_rows = fit(one_block, {.alphas = alphas, .criterion = "kfold:5"}, comm);
    EXPECT_LT(largest_relative(folds_of_rows.cv, own_columns("kfold5_r2", own)), 1e-6);
  }
}

INSTANTIATE_TEST_SUITE_P(Data, RidgeParity,
                         ::testing::Values("diabetes", "diabetes_wide", "linnerud", "random_tall",
                                           "random_wide"),
                         [](const auto& instance) { return std::string(instance.param); });

TEST(RidgeRanks, SplitCommunicatorsFitByThemselves) {
  const auto world = Communicator::world();
  const auto half = world.split(world.rank() % 2, world.rank());
  const Data data = random_data(30, 6, 5, {10, 20}, 30U + static_cast<unsigned>(world.rank() % 2));
  const auto result = fit(data, {.alphas = some_alphas}, half);
  expect_fit(result, data, some_alphas, refit_errors(data, some_alphas, single_rows(30)), half);
}

/// Fails on one rank, from its nth read on.
class FailingSource final : public BlockSource {
 public:
  FailingSource(MatrixD values, Rows rows, bool fails, int reads)
      : source_(std::move(values), std::move(rows)), fails_(fails), reads_(reads) {}
  Index blocks() const override { return source_.blocks(); }
  Index rows(Index block) const override { return source_.rows(block); }
  Index columns() const override { return source_.columns(); }
  std::string name(Index block) const override { return source_.name(block); }
  MatrixD read(Index block, Range columns) const override {
    if (fails_ && reads_-- <= 0) throw InputError("y.h5: run s01e01a cannot be read");
    return source_.read(block, columns);
  }

 private:
  MemorySource source_;
  bool fails_;
  mutable int reads_;
};

TEST(RidgeRanks, OneRanksFailureIsEveryRanks) {
  const auto comm = Communicator::world();
  for (const Index p : {4, 40}) {
    const Data data = random_data(20, p, 3, {4, 4, 4, 4, 4}, 40);
    const MemorySource x(data.x, data.block_rows);
    for (const auto* criterion : {"loo", "kfold:2", "leave-one-run-out"}) {
      for (int reads = 0; reads < 3; ++reads) {
        const FailingSource y(data.y, data.block_rows, comm.rank() == comm.size() - 1, reads);
        std::string message = "nothing was thrown";
        try {
          fit_ridge(x, y, {.alphas = {1.0}, .criterion = criterion}, comm);
        } catch (const InputError& error) {
          message = error.what();
        }
        // The last rank holds at least one block. Folds need one pass over y, the others two.
        if (reads < (std::string_view(criterion) == "kfold:2" ? 1 : 2)) {
          EXPECT_EQ(message, "y.h5: run s01e01a cannot be read");
        }
      }
    }
  }
}

std::string message_of(const MatrixD& x, const Rows& x_rows, const MatrixD& y, const Rows& y_rows,
                       const Communicator& comm) {
  try {
    fit_ridge(MemorySource(x, x_rows), MemorySource(y, y_rows), {.alphas = {1.0}}, comm);
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

TEST(RidgeInput, WhatDoesNotFitIsNamed) {
  const auto comm = Communicator::world();
  const MatrixD x = random_matrix(10, 2, 50);
  const MatrixD y = random_matrix(10, 1, 51);
  const auto rows = message_of(x, {4, 6}, y, {5, 5}, comm);
  EXPECT_NE(rows.find("block 0"), std::string::npos) << rows;
  EXPECT_NE(rows.find("4"), std::string::npos) << rows;
  EXPECT_NE(message_of(x, {10}, y, {5, 5}, comm).find("2"), std::string::npos);
  EXPECT_NE(message_of(x.topRows(1), {1}, y.topRows(1), {1}, comm), "");
  EXPECT_NE(message_of(x.topRows(0), {}, y.topRows(0), {}, comm), "");
  EXPECT_NE(message_of(x.leftCols(0), {10}, y, {10}, comm), "");
}

}  // namespace
}  // namespace cinecortex::encoding
