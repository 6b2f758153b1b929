#include "cinecortex/linalg/leading_eigen.hpp"

#include <gtest/gtest.h>

#include <Eigen/QR>
#include <random>

#include "cinecortex/core/error.hpp"

namespace cinecortex::linalg {
namespace {

using parallel::Communicator;

MatrixD random_orthogonal(Index n, unsigned seed) {
  std::mt19937 engine(seed);
  std::normal_distribution<double> normal;
  Eigen::MatrixXd matrix(n, n);
  for (Index i = 0; i < matrix.size(); ++i) matrix.data()[i] = normal(engine);
  return Eigen::HouseholderQR<Eigen::MatrixXd>(matrix).householderQ() * Eigen::MatrixXd::Identity(n, n);
}

MatrixD with_spectrum(const VectorD& values, unsigned seed) {
  const MatrixD q = random_orthogonal(values.size(), seed);
  return q * values.asDiagonal() * q.transpose();
}

VectorD power_law(Index n, double exponent) {
  return VectorD::LinSpaced(n, 1.0, static_cast<double>(n)).array().pow(-exponent);
}

LeadingPairs leading_of(const MatrixD& matrix, LeadingOptions options, const Communicator& comm) {
  const Range mine = partition(matrix.rows(), comm.size(), comm.rank());
  const auto product = [&](const MatrixD& vectors) -> MatrixD {
    return vectors * matrix.middleCols(mine.begin, mine.size());
  };
  if (options.most_products == 0) options.most_products = 100 * options.count;
  return leading_eigenpairs(matrix.rows(), product, options, comm);
}

LeadingOptions wanting(Index count, Index block) {
  LeadingOptions options;
  options.count = count;
  options.block = block;
  options.basis = 2 * count;
  options.seed = 7;
  return options;
}

void expect_leading(const MatrixD& matrix, const VectorD& values, const LeadingPairs& pairs,
                    double tolerance) {
  const Index k = pairs.values.size();
  const MatrixD gram = pairs.vectors * pairs.vectors.transpose();
  EXPECT_LT((gram - MatrixD::Identity(k, k)).cwiseAbs().maxCoeff(), 1e-12);
  EXPECT_LT((pairs.values - values.head(k)).cwiseAbs().maxCoeff(), 1e-11);
  const MatrixD rest = pairs.vectors * matrix - pairs.values.asDiagonal() * pairs.vectors;
  const double residual = rest.rowwise().norm().maxCoeff() / std::max(values[0], 1e-300);
  EXPECT_LE(residual, tolerance * 1.01 + 1e-13);
}

TEST(LeadingEigen, FindsTheTopOfSlowSpectra) {
  const Communicator world = Communicator::world();
  const Index n = 301;
  for (const double exponent : {0.2, 1.0, 3.0}) {
    const VectorD values = power_law(n, exponent);
    const MatrixD matrix = with_spectrum(values, 3);
    for (const auto& [count, block] : {std::pair<Index, Index>{1, 1}, {7, 3}, {30, 8}, {40, 40}}) {
      const LeadingPairs pairs = leading_of(matrix, wanting(count, block), world);
      EXPECT_TRUE(pairs.converged);
      EXPECT_LT(pairs.products, 3 * n) << exponent << " " << count;
      expect_leading(matrix, values, pairs, 1e-8);
    }
  }
}

TEST(LeadingEigen, LowRankZeroAndWholeSpaces) {
  const Communicator world = Communicator::world();
  for (const Index rank : {0, 1, 5, 40}) {
    VectorD values = VectorD::Zero(150);
    for (Index i = 0; i < rank; ++i) values[i] = 1.0 / static_cast<double>(i + 1);
    const MatrixD matrix = with_spectrum(values, 4);
    for (const Index count : {1, 6, 20, 150}) {
      const LeadingPairs pairs = leading_of(matrix, wanting(count, 4), world);
      EXPECT_TRUE(pairs.converged);
      expect_leading(matrix, values, pairs, 1e-8);
    }
  }
}

TEST(LeadingEigen, ResultDoesNotDependOnRanksAndIsTheSameOnEach) {
  const Communicator world = Communicator::world();
  const Communicator alone = world.split(world.rank(), 0);
  const MatrixD matrix = with_spectrum(power_law(200, 0.7), 5);
  const LeadingPairs together = leading_of(matrix, wanting(12, 5), world);
  const LeadingPairs by_itself = leading_of(matrix, wanting(12, 5), alone);
  EXPECT_EQ(together.products, by_itself.products);
  for (Index i = 0; i < 12; ++i) {
    EXPECT_NEAR(std::abs(together.vectors.row(i).dot(by_itself.vectors.row(i))), 1.0, 1e-10);
  }
  MatrixD of_root = together.vectors;
  world.broadcast(std::span(of_root.data(), static_cast<std::size_t>(of_root.size())));
  EXPECT_EQ(of_root, together.vectors);
}

TEST(LeadingEigen, SaysSoWhenTheLimitOfProductsEndsIt) {
  const Communicator world = Communicator::world();
  const MatrixD matrix = with_spectrum(VectorD::LinSpaced(400, 2.0, 1.0), 6);
  LeadingOptions options = wanting(10, 4);
  options.most_products = 30;
  const LeadingPairs pairs = leading_of(matrix, options, world);
  EXPECT_FALSE(pairs.converged);
  EXPECT_GT(pairs.residual, 1e-8);
  const MatrixD rest = pairs.vectors * matrix - pairs.values.asDiagonal() * pairs.vectors;
  EXPECT_NEAR(rest.rowwise().norm().maxCoeff() / pairs.values[0] / pairs.residual, 1.0, 1e-6);
}

TEST(LeadingEigen, EndsAtTheRoundingOfItsProduct) {
  const Communicator world = Communicator::world();
  const MatrixD matrix = with_spectrum(VectorD::LinSpaced(300, 2.0, 1.0), 8);
  const Range mine = partition(300, world.size(), world.rank());
  const MatrixF rounded = matrix.cast<float>();
  const auto product = [&](const MatrixD& vectors) -> MatrixD {
    return (vectors.cast<float>() * rounded.middleCols(mine.begin, mine.size())).cast<double>();
  };
  LeadingOptions options = wanting(40, 8);
  options.tolerance = 1e-9;  // float32 does not give that
  options.most_products = 3000;
  EXPECT_FALSE(leading_eigenpairs(300, product, options, world).converged);
  options.rounding = 1e-6;
  const LeadingPairs pairs = leading_eigenpairs(300, product, options, world);
  EXPECT_TRUE(pairs.converged);
  EXPECT_LT(pairs.products, 1500);
  EXPECT_LE(pairs.residual, options.rounding);
  const MatrixD rest = pairs.vectors * matrix - pairs.values.asDiagonal() * pairs.vectors;
  EXPECT_LT(rest.rowwise().norm().maxCoeff() / pairs.values[0], 2 * options.rounding);
}

TEST(LeadingEigen, RefusesImpossibleSizes) {
  const Communicator world = Communicator::world();
  const MatrixD matrix = MatrixD::Identity(5, 5);
  EXPECT_THROW(leading_of(matrix, wanting(6, 2), world), Error);
  EXPECT_THROW(leading_of(matrix, wanting(0, 2), world), Error);
}

}  // namespace
}  // namespace cinecortex::linalg
