#include "cinecortex/linalg/cholesky.hpp"

#include <gtest/gtest.h>

#include "cinecortex/core/error.hpp"

namespace cinecortex::linalg {
namespace {

template <class Scalar>
void expect_solves(Scalar tolerance) {
  std::srand(7);
  for (const Index n : {1, 5, 130}) {
    for (const Index m : {0, 1, 9}) {
      const Matrix<Scalar> rows = Matrix<Scalar>::Random(n, n);
      const Matrix<Scalar> a = rows * rows.transpose() + Scalar(n) * Matrix<Scalar>::Identity(n, n);
      const Matrix<Scalar> x = Matrix<Scalar>::Random(n, m);
      Matrix<Scalar> lower = a.template triangularView<Eigen::Lower>();
      ASSERT_TRUE(cholesky(lower));
      // Part of a larger matrix, whose rest stays as it is.
      Matrix<Scalar> b = Matrix<Scalar>::Constant(n, m + 2, Scalar(7));
      b.middleCols(1, m) = a * x;
      cholesky_solve(lower, b.middleCols(1, m));
      EXPECT_LE(m > 0 ? (b.middleCols(1, m) - x).cwiseAbs().maxCoeff() : Scalar(0), tolerance)
          << n << " " << m;
      EXPECT_EQ(b.col(0), Matrix<Scalar>::Constant(n, 1, Scalar(7)));
      EXPECT_EQ(b.col(m + 1), Matrix<Scalar>::Constant(n, 1, Scalar(7)));
    }
  }
}

TEST(Cholesky, SolvesInDouble) {
  expect_solves<double>(1e-12);
}
TEST(Cholesky, SolvesInFloat) {
  expect_solves<float>(1e-5F);
}

TEST(Cholesky, SaysWhatIsNotPositiveDefinite) {
  MatrixD indefinite = MatrixD::Identity(4, 4);
  indefinite(2, 2) = -1;
  EXPECT_FALSE(cholesky(indefinite));
  MatrixF singular = MatrixF::Ones(3, 3);
  EXPECT_FALSE(cholesky(singular));
}

TEST(Cholesky, ShapesMustFit) {
  MatrixD b = MatrixD::Zero(3, 2);
  EXPECT_THROW(cholesky(b), Error);
  EXPECT_THROW(cholesky_solve(MatrixD::Identity(4, 4), b), Error);
}

}  // namespace
}  // namespace cinecortex::linalg
