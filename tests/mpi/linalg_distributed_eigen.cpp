#include "cinecortex/linalg/distributed_eigen.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <random>

#include "cinecortex/core/error.hpp"

namespace cinecortex::linalg {
namespace {

using parallel::Communicator;

MatrixD random_symmetric(Index n, unsigned seed) {
  std::mt19937 engine(seed);
  std::normal_distribution<double> normal;
  MatrixD matrix(n, n);
  for (Index i = 0; i < n; ++i) {
    for (Index j = 0; j <= i; ++j) matrix(i, j) = matrix(j, i) = normal(engine);
  }
  return matrix;
}

/// Every rank holds root's bits.
bool replicated(const EigenPairs& pairs, const Communicator& comm) {
  EigenPairs of_root = pairs;
  comm.broadcast(std::span(of_root.values.data(), static_cast<std::size_t>(of_root.values.size())));
  comm.broadcast(std::span(of_root.vectors.data(), static_cast<std::size_t>(of_root.vectors.size())));
  return of_root.values == pairs.values && of_root.vectors == pairs.vectors;
}

void expect_decomposed(const MatrixD& symmetric, const Communicator& comm, Index scalapack_from) {
  const Index n = symmetric.rows();
  const EigenPairs pairs = eigh(symmetric, comm, scalapack_from);
  EXPECT_TRUE(replicated(pairs, comm)) << n;
  const double size = std::max(1.0, symmetric.cwiseAbs().maxCoeff()) * static_cast<double>(n);
  const MatrixD& v = pairs.vectors;
  EXPECT_LT((v.transpose() * v - MatrixD::Identity(n, n)).cwiseAbs().maxCoeff(), 1e-12) << n;
  EXPECT_LT((symmetric * v - v * pairs.values.asDiagonal()).cwiseAbs().maxCoeff(), 1e-13 * size) << n;
  EXPECT_LT((pairs.values - eigh(symmetric).values).cwiseAbs().maxCoeff(), 1e-13 * size) << n;
}

TEST(DistributedEigen, ScalapackDecomposesAnySize) {
  const Communicator world = Communicator::world();
  for (const Index n : {1, 2, 3, 63, 64, 65, 127, 130, 200, 257})
    expect_decomposed(random_symmetric(n, 5), world, 0);
}

TEST(DistributedEigen, EqualEigenvaluesAndRankDeficiency) {
  const Communicator world = Communicator::world();
  expect_decomposed(MatrixD::Identity(150, 150), world, 0);
  expect_decomposed(MatrixD::Zero(140, 140), world, 0);
  const MatrixD thin = random_symmetric(170, 9).leftCols(5);
  expect_decomposed(thin * thin.transpose(), world, 0);
}

TEST(DistributedEigen, SmallOnesAreDecomposedOnRoot) {
  const Communicator world = Communicator::world();
  for (const Index n : {1, 40}) expect_decomposed(random_symmetric(n, 6), world, 4000);
  EXPECT_EQ(eigh(MatrixD(0, 0), world, 0).values.size(), 0);
}

TEST(DistributedEigen, WorksOnPartsOfTheRanksAtOnce) {
  const Communicator world = Communicator::world();
  const Communicator part = world.split(world.rank() % 2, -world.rank());
  expect_decomposed(random_symmetric(150 + 20 * (world.rank() % 2), 7), part, 0);
}

TEST(DistributedEigen, GridsAreFreed) {
  const Communicator world = Communicator::world();
  const MatrixD symmetric = random_symmetric(70, 8);
  for (int i = 0; i < 50; ++i) eigh(symmetric, world, 0);  // a leak would run out of BLACS contexts
  expect_decomposed(symmetric, world, 0);
}

TEST(DistributedEigen, OneRankWithoutAnAnswerFailsEveryRank) {
  const Communicator world = Communicator::world();
  MatrixD symmetric = random_symmetric(70, 8);
  if (world.rank() == world.size() - 1) symmetric(3, 3) = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THROW(eigh(symmetric, world, 0), StageError);
  MatrixD at_root = random_symmetric(20, 8);
  if (world.root()) at_root(3, 3) = std::numeric_limits<double>::infinity();
  EXPECT_THROW(eigh(at_root, world), StageError);
}

}  // namespace
}  // namespace cinecortex::linalg
