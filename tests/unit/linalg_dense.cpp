#include "cinecortex/linalg/dense.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "cinecortex/core/error.hpp"
#include "cinecortex/parallel/threads.hpp"

namespace cinecortex::linalg {
namespace {

template <class Scalar>
Matrix<Scalar> plain_product(const Matrix<Scalar>& a, const Matrix<Scalar>& b) {
  Matrix<Scalar> c = Matrix<Scalar>::Zero(a.rows(), b.cols());
  for (Index i = 0; i < a.rows(); ++i) {
    for (Index j = 0; j < b.cols(); ++j) {
      for (Index k = 0; k < a.cols(); ++k) c(i, j) += a(i, k) * b(k, j);
    }
  }
  return c;
}

template <class Scalar>
void expect_products(Scalar tolerance) {
  std::srand(3);
  for (const Index m : {0, 1, 7}) {
    for (const Index n : {1, 5}) {
      for (const Index k : {0, 1, 6}) {
        const Matrix<Scalar> a = Matrix<Scalar>::Random(m, k), b = Matrix<Scalar>::Random(k, n);
        const Matrix<Scalar> at = a.transpose(), bt = b.transpose(), before = Matrix<Scalar>::Random(m, n);
        const Matrix<Scalar> expected = Scalar(0.5) * before + Scalar(2) * plain_product<Scalar>(a, b);
        for (const bool transpose_a : {false, true}) {
          for (const bool transpose_b : {false, true}) {
            Matrix<Scalar> c = before;
            gemm(transpose_a, transpose_b, Scalar(2), transpose_a ? at : a, transpose_b ? bt : b, Scalar(0.5),
                 c);
            EXPECT_TRUE(m == 0 || (c - expected).cwiseAbs().maxCoeff() < tolerance)
                << m << ' ' << n << ' ' << k << ' ' << transpose_a << transpose_b;
          }
        }
      }
    }
  }
}

TEST(Gemm, EqualsThePlainProductInDouble) {
  expect_products<double>(1e-13);
}
TEST(Gemm, EqualsThePlainProductInFloat) {
  expect_products<float>(1e-5F);
}

TEST(Gemm, WhatWasThereDoesNotMatterWhereBetaIsZero) {
  for (const Index k : {0, 3, 200}) {
    const MatrixD a = MatrixD::Random(4, k), b = MatrixD::Random(k, 5);
    MatrixD c = MatrixD::Constant(4, 5, std::numeric_limits<double>::quiet_NaN());
    gemm(false, false, 1.0, a, b, 0.0, c);
    EXPECT_LT((c - plain_product<double>(a, b)).cwiseAbs().maxCoeff(), 1e-12) << k;
    MatrixF single = MatrixF::Constant(4, 5, std::numeric_limits<float>::quiet_NaN());
    gemm(false, false, 1.0F, MatrixF(a.cast<float>()), MatrixF(b.cast<float>()), 0.0F, single);
    EXPECT_LT((single.cast<double>() - c).cwiseAbs().maxCoeff(), 1e-4) << k;
  }
}

TEST(Product, HasTheShapeOfWhatIsMultiplied) {
  const MatrixD a = MatrixD::Random(4, 3), b = MatrixD::Random(3, 5);
  const MatrixD expected = plain_product<double>(a, b), at = a.transpose(), bt = b.transpose();
  EXPECT_LT((product(false, false, a, b) - expected).cwiseAbs().maxCoeff(), 1e-14);
  EXPECT_LT((product(true, true, at, bt) - expected).cwiseAbs().maxCoeff(), 1e-14);
  EXPECT_EQ(product(false, false, MatrixF(2, 0), MatrixF(0, 3)), MatrixF::Zero(2, 3));
  EXPECT_EQ(product(true, false, MatrixD(6, 0), MatrixD(6, 3)).rows(), 0);
  EXPECT_THROW(product(false, false, a, a), Error);
}

TEST(Gemm, ViewsOfALargerMatrixLeaveTheRestAlone) {
  const MatrixD a = MatrixD::Random(9, 8), b = MatrixD::Random(8, 9);
  MatrixD c = MatrixD::Constant(9, 9, 7.0);
  gemm(false, false, 1.0, a.block(2, 1, 3, 4), b.block(3, 2, 4, 5), 0.0, c.block(1, 3, 3, 5));
  const MatrixD expected = plain_product<double>(a.block(2, 1, 3, 4), b.block(3, 2, 4, 5));
  EXPECT_LT((c.block(1, 3, 3, 5) - expected).cwiseAbs().maxCoeff(), 1e-13);
  c.block(1, 3, 3, 5).setConstant(7.0);
  EXPECT_EQ(c, MatrixD::Constant(9, 9, 7.0));
}

TEST(Gemm, ARowOfALargerMatrix) {
  const MatrixD a = MatrixD::Random(4, 6), b = MatrixD::Random(6, 3);
  MatrixD c = MatrixD::Zero(1, 3);
  gemm(false, false, 1.0, a.middleRows(2, 1), b, 0.0, c);
  EXPECT_LT((c - plain_product<double>(a.middleRows(2, 1), b)).cwiseAbs().maxCoeff(), 1e-13);
}

TEST(Gemm, RefusesShapesThatDoNotFit) {
  const MatrixD a = MatrixD::Zero(3, 4), b = MatrixD::Zero(5, 2);
  MatrixD c(3, 2);
  EXPECT_THROW(gemm(false, false, 1.0, a, b, 0.0, c), Error);
  MatrixD wide(3, 3);
  EXPECT_THROW(gemm(false, true, 1.0, a, MatrixD::Zero(2, 4), 0.0, wide), Error);
}

TEST(GemmLower, IsTheLowerHalfOfASymmetricProduct) {
  for (const Index size : {0, 1, 127, 128, 300}) {
    const MatrixD a = MatrixD::Random(size, 9), weighted = a * VectorD::LinSpaced(9, 1.0, 2.0).asDiagonal();
    const MatrixD expected = 0.5 * MatrixD::Ones(size, size) - 2.0 * weighted * a.transpose();
    for (const bool ta : {false, true}) {
      for (const bool tb : {false, true}) {
        const MatrixD left = ta ? MatrixD(weighted.transpose()) : weighted,
                      right = tb ? a : MatrixD(a.transpose());
        MatrixD c = MatrixD::Ones(size, size);
        MatrixF single = MatrixF::Ones(size, size);
        gemm_lower(ta, tb, -2.0, left, right, 0.5, c);
        gemm_lower(ta, tb, -2.0F, MatrixF(left.cast<float>()), MatrixF(right.cast<float>()), 0.5F, single);
        for (Index i = 0; i < size; ++i) {
          EXPECT_LT((c.row(i) - expected.row(i)).head(i + 1).cwiseAbs().maxCoeff(), 1e-13) << size;
          EXPECT_LT((single.row(i).cast<double>() - expected.row(i)).head(i + 1).cwiseAbs().maxCoeff(), 1e-4);
        }
      }
    }
  }
  MatrixD c(3, 3);
  EXPECT_THROW(gemm_lower(false, true, 1.0, MatrixD(3, 2), MatrixD(3, 4), 0.0, c), Error);
}

TEST(AddGram, AddsTheLowerTriangleAndMirrorFillsTheUpper) {
  for (const Index columns : {1, 3, 64, 65, 150}) {
    const MatrixD a = MatrixD::Random(11, columns + 2);
    const auto part = a.middleCols(1, columns);
    MatrixD gram = MatrixD::Identity(columns, columns);
    add_gram(part, 1.0, gram);
    add_gram(part, 1.0, gram);
    mirror_lower(gram);
    const MatrixD expected =
        MatrixD::Identity(columns, columns) + 2.0 * plain_product<double>(part.transpose(), part);
    EXPECT_LT((gram - expected).cwiseAbs().maxCoeff(), 1e-12) << columns;
  }
}

TEST(AddGram, PanelsOfThreadsMakeTheSameTriangleAndNothingAboveIt) {
  const int threads = parallel::openmp_threads();
  for (const int panels : {1, 2, 3}) {
    parallel::set_openmp_threads(panels);
    for (const Index columns : {767, 768, 801}) {
      const MatrixD a = MatrixD::Random(13, columns + 5);
      const MatrixF single = a.cast<float>();
      MatrixD gram = MatrixD::Constant(columns, columns, 2.0);
      MatrixF single_gram = MatrixF::Constant(columns, columns, std::numeric_limits<float>::quiet_NaN());
      add_gram(a.leftCols(columns), 3.0, gram);
      add_gram(single.leftCols(columns), 0.0F, single_gram);
      const MatrixD product = a.leftCols(columns).transpose() * a.leftCols(columns);
      const auto lower = [](const auto& matrix) {
        return MatrixD(matrix.template cast<double>().template triangularView<Eigen::Lower>());
      };
      EXPECT_LT(lower(gram - product - MatrixD::Constant(columns, columns, 6.0)).cwiseAbs().maxCoeff(),
                1e-12);
      EXPECT_LT((lower(single_gram) - lower(product)).cwiseAbs().maxCoeff(), 1e-4);
      for (Index i = 0; i + 1 < columns; ++i) {
        const Index above = columns - i - 1;
        ASSERT_TRUE((gram.row(i).tail(above).array() == 2.0).all()) << i;
        ASSERT_TRUE(single_gram.row(i).tail(above).array().isNaN().all()) << i;
      }
    }
  }
  parallel::set_openmp_threads(threads);
}

TEST(AddGram, NoRowsAddNothing) {
  MatrixD gram = MatrixD::Identity(3, 3);
  add_gram(MatrixD(0, 3), 1.0, gram);
  EXPECT_EQ(gram, MatrixD::Identity(3, 3));
  EXPECT_THROW(add_gram(MatrixD(2, 4), 1.0, gram), Error);
}

TEST(Eigh, PairsRebuildTheMatrix) {
  for (const Index n : {1, 2, 17, 120}) {
    const MatrixD half = MatrixD::Random(n, n);
    const MatrixD symmetric = half + half.transpose();
    const auto [values, vectors] = eigh(symmetric);
    EXPECT_LT((vectors.transpose() * vectors - MatrixD::Identity(n, n)).cwiseAbs().maxCoeff(), 1e-12);
    EXPECT_LT((symmetric * vectors - vectors * values.asDiagonal()).cwiseAbs().maxCoeff(), 1e-11);
    for (Index i = 1; i < n; ++i) EXPECT_LE(values[i - 1], values[i]);
  }
}

TEST(Eigh, NothingIsDecomposedIntoNothing) {
  EXPECT_EQ(eigh(MatrixD(0, 0)).values.size(), 0);
}

TEST(Eigh, RefusesWhatHasNoAnswer) {
  MatrixD bad = MatrixD::Identity(3, 3);
  bad(1, 2) = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THROW(eigh(bad), NumericalError);
  EXPECT_THROW(eigh(MatrixD::Zero(2, 3)), Error);
}

TEST(Blas, SaysWhichOneRuns) {
  set_blas_threads(1);
  EXPECT_TRUE(blas_is_openblas());
  const std::string text = blas_description();
  EXPECT_EQ(text.rfind("OpenBLAS 0.", 0), 0u) << text;
  EXPECT_NE(text.find(", 1 thread, dgemm from /"), std::string::npos) << text;
  std::cout << text << '\n';
}

}  // namespace
}  // namespace cinecortex::linalg
