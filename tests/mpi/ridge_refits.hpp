#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <vector>

#include "cinecortex/encoding/ridge.hpp"
#include "plain_ridge.hpp"
#include "random_matrix.hpp"

/// Data for ridge, and plain refits on the rows that are left, made by every rank for itself.
namespace cinecortex::encoding {

using parallel::Communicator;
using Rows = std::vector<Index>;

struct Data {
  MatrixD x, y;
  Rows block_rows;
};

/// Targets from nearly noise-free to nothing but noise, so that they choose different alphas.
inline Data random_data(Index n, Index p, Index t, Rows block_rows, unsigned seed) {
  Data data{random_matrix(n, p, seed), {}, std::move(block_rows)};
  data.x.rowwise() += 2.0 * random_matrix(1, p, seed + 1).row(0);
  data.y = data.x * random_matrix(p, t, seed + 2) / std::sqrt(static_cast<double>(p));
  const MatrixD noise = random_matrix(n, t, seed + 3);
  for (Index v = 0; v < t; ++v)
    data.y.col(v) += std::pow(10.0, static_cast<double>(v % 5) - 2.0) * noise.col(v);
  data.y.array() += 7.0;
  return data;
}

inline RidgeFit fit(const Data& data, const RidgeOptions& options, const Communicator& comm) {
  return fit_ridge(MemorySource(data.x, data.block_rows), MemorySource(data.y, data.block_rows), options,
                   comm);
}

/// Which rows each refit leaves out.
using Splits = std::vector<Rows>;

inline Splits single_rows(Index n) {
  Splits splits;
  for (Index i = 0; i < n; ++i) splits.push_back({i});
  return splits;
}

inline Splits contiguous(const Rows& lengths) {
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
inline void refit(const Data& data, const std::vector<double>& alphas, const Splits& splits, Fn&& fn) {
  for (const Rows& out : splits) {
    Rows in;
    for (Index i = 0; i < data.x.rows(); ++i) {
      if (std::find(out.begin(), out.end(), i) == out.end()) in.push_back(i);
    }
    for (std::size_t a = 0; a < alphas.size(); ++a) {
      const PlainRidge trained = plain_ridge(data.x(in, Eigen::all), data.y(in, Eigen::all), alphas[a]);
      fn(static_cast<Index>(a), MatrixD(data.y(out, Eigen::all)), trained.predict(data.x(out, Eigen::all)));
    }
  }
}

inline MatrixD refit_errors(const Data& data, const std::vector<double>& alphas, const Splits& splits) {
  MatrixD squares = MatrixD::Zero(static_cast<Index>(alphas.size()), data.y.cols());
  refit(data, alphas, splits, [&](Index a, const MatrixD& truth, const MatrixD& prediction) {
    squares.row(a) += (truth - prediction).colwise().squaredNorm();
  });
  return squares / static_cast<double>(data.x.rows());
}

inline MatrixD refit_r2(const Data& data, const std::vector<double>& alphas, const Splits& splits) {
  MatrixD r2 = MatrixD::Zero(static_cast<Index>(alphas.size()), data.y.cols());
  refit(data, alphas, splits, [&](Index a, const MatrixD& truth, const MatrixD& prediction) {
    const auto error = (truth - prediction).colwise().squaredNorm().array();
    const auto variation = (truth.rowwise() - truth.colwise().mean()).colwise().squaredNorm().array();
    r2.row(a).array() += 1.0 - error / variation;
  });
  return r2 / static_cast<double>(splits.size());
}

inline double largest_relative(const MatrixD& value, const MatrixD& expected) {
  if (expected.size() == 0) return 0;
  return ((value - expected).array() /
          expected.array().abs().max(1e-12 * expected.cwiseAbs().maxCoeff() + 1e-300))
      .abs()
      .maxCoeff();
}

inline double relative_norm(const MatrixD& value, const MatrixD& expected) {
  return (value - expected).norm() / std::max(expected.norm(), 1e-300);
}

/// The curve, the choice, and the weights that go with it.
inline void expect_fit(const RidgeFit& fit, const Data& data, const std::vector<double>& alphas,
                       const MatrixD& cv, const Communicator& comm, double tolerance = 1e-8) {
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
    const PlainRidge plain = plain_ridge(data.x, data.y.col(own.begin + v), fit.alpha[v]);
    EXPECT_LT((fit.weights.col(v) - plain.weights.col(0)).norm(), tolerance * (1e-3 + plain.weights.norm()));
    EXPECT_NEAR(fit.intercept[v], plain.intercept[0], tolerance * (1.0 + std::abs(plain.intercept[0])));
  }
}

inline void expect_least(const RidgeFit& fit, const std::vector<double>& alphas) {
  for (Index v = 0; v < fit.cv.cols(); ++v) {
    const auto at = std::find(alphas.begin(), alphas.end(), fit.alpha[v]) - alphas.begin();
    EXPECT_LE(fit.cv(at, v), fit.cv.col(v).minCoeff() * (1 + 2e-12));
  }
}

inline const std::vector<double> some_alphas{0.0, 1e-5, 1e-2, 0.1, 1.0, 10.0, 1000.0};

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

/// Rows of very different size: a few of them carry a direction nearly alone.
inline Data leveraged_data(Index n, Index p, Index t, unsigned seed) {
  Data data = random_data(n, p, t, {n / 4, n / 2, n - n / 4 - n / 2}, seed);
  for (Index j = 0; j < p; ++j)
    data.x.col(j) *= std::pow(10.0, -2.0 * static_cast<double>(j) / static_cast<double>(p));
  for (Index i = 0; i < n; i += 40) data.x.row(i) *= i % 80 == 0 ? 60.0 : 5.0;
  data.y = data.x * random_matrix(p, t, seed + 5) + random_matrix(n, t, seed + 6);
  return data;
}

}  // namespace cinecortex::encoding
