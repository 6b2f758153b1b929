#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "cinecortex/core/error.hpp"
#include "cinecortex/linalg/counter_random.hpp"
#include "cinecortex/linalg/dense.hpp"

namespace cinecortex::linalg {
namespace {

double off_identity(const MatrixD& gram) {
  return (gram - MatrixD::Identity(gram.rows(), gram.cols())).cwiseAbs().maxCoeff();
}

TEST(OrthonormaliseRows, SpansTheSameNestedSpaces) {
  std::srand(1);
  for (const auto& [k, d] : {std::pair<Index, Index>{1, 1}, {1, 7}, {5, 5}, {6, 40}, {100, 130}}) {
    const MatrixD rows = MatrixD::Random(k, d);
    MatrixD basis = rows;
    orthonormalise_rows(basis);
    EXPECT_LT(off_identity(basis * basis.transpose()), 1e-13);
    const MatrixD coefficients = rows * basis.transpose();  // lower triangular
    EXPECT_LT((rows - coefficients * basis).cwiseAbs().maxCoeff(), 1e-12);
    for (Index i = 0; i < k; ++i) {
      for (Index j = i + 1; j < k; ++j) EXPECT_LT(std::abs(coefficients(i, j)), 1e-12);
    }
  }
}

TEST(OrthonormaliseRows, DependentAndZeroRowsAreReplaced) {
  MatrixD rows = MatrixD::Random(4, 9);
  rows.row(2) = 2.0 * rows.row(0) - rows.row(1);
  rows.row(3).setZero();
  orthonormalise_rows(rows);
  EXPECT_LT(off_identity(rows * rows.transpose()), 1e-13);
  MatrixD tall(3, 2);
  EXPECT_THROW(orthonormalise_rows(tall), Error);
}

TEST(PolishEigenpairs, SmallEigenvaluesKeepTheirRelativeAccuracy) {
  // h = D (I + small) D with D over 9 orders of magnitude: eigenvalues over 18.
  const Index n = 10;
  const VectorD d = VectorD::LinSpaced(n, 0.0, -9.0).unaryExpr([](double e) { return std::pow(10.0, e); });
  MatrixD core = MatrixD::Random(n, n) * 1e-6;
  core = (core + core.transpose() + 2.0 * MatrixD::Identity(n, n)).eval();
  const MatrixD h = d.asDiagonal() * core * d.asDiagonal();
  const auto [values, vectors] = polish_eigenpairs(h);
  EXPECT_LT(off_identity(vectors.transpose() * vectors), 1e-14);
  for (Index i = 0; i < n; ++i) {
    EXPECT_NEAR(values[i] / (d[i] * d[i]), core(i, i), 1e-10);
    for (Index j = 0; j < n; ++j) {
      // The angle that is left between two vectors.
      const double coupling = vectors.col(i).dot(h * vectors.col(j));
      const double allowed = i == j ? 2.0 * values[i] : 2e-11 * std::max(values[i], values[j]);
      EXPECT_LT(std::abs(coupling), allowed) << i << ' ' << j;
    }
  }
}

TEST(PolishEigenpairs, SemiDefiniteAndEmpty) {
  MatrixD h = MatrixD::Zero(3, 3);
  h.diagonal() << 2.0, 0.0, 0.0;
  h(1, 2) = h(2, 1) = 1e-40;
  EXPECT_EQ(polish_eigenpairs(h).values, h.diagonal());
  EXPECT_EQ(polish_eigenpairs(MatrixD(0, 0)).values.size(), 0);
  EXPECT_EQ(polish_eigenpairs(MatrixD::Zero(2, 2)).vectors, MatrixD::Identity(2, 2));
}

TEST(CounterNormal, IsAFunctionOfItsArgumentsWithNormalMoments) {
  EXPECT_EQ(counter_normal(1, 2, 3), counter_normal(1, 2, 3));
  EXPECT_NE(counter_normal(1, 2, 3), counter_normal(1, 3, 2));
  EXPECT_NE(counter_normal(1, 2, 3), counter_normal(2, 2, 3));
  const Index n = 300;
  MatrixD sample(n, n);
  for (Index i = 0; i < n; ++i) {
    for (Index j = 0; j < n; ++j) sample(i, j) = counter_normal(1004, i, j);
  }
  EXPECT_NEAR(sample.mean(), 0.0, 0.015);
  EXPECT_NEAR(sample.array().square().mean(), 1.0, 0.02);
  EXPECT_NEAR(sample.array().pow(4).mean(), 3.0, 0.15);
  const MatrixD gram = sample * sample.transpose() / static_cast<double>(n);
  EXPECT_LT((gram - MatrixD(gram.diagonal().asDiagonal())).cwiseAbs().maxCoeff(),
            0.35);  // rows do not repeat
}

TEST(CounterBelow, IsAFunctionOfItsArgumentsAndUniform) {
  std::vector<Index> counts(7, 0);
  for (Index i = 0; i < 700; ++i) {
    for (Index j = 0; j < 10; ++j) {
      const Index value = counter_below(1004, i, j, 7);
      EXPECT_EQ(value, counter_below(1004, i, j, 7));
      ++counts.at(static_cast<std::size_t>(value));
    }
  }
  for (const Index count : counts) EXPECT_NEAR(static_cast<double>(count), 1000, 130);
  EXPECT_EQ(counter_below(1, 2, 3, 1), 0);
}

}  // namespace
}  // namespace cinecortex::linalg
