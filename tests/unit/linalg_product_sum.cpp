#include "cinecortex/linalg/product_sum.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "cinecortex/core/error.hpp"
#include "cinecortex/linalg/dense.hpp"
#include "random_matrix.hpp"

namespace cinecortex::linalg {
namespace {

/// The largest difference, in units of what one number of it varies by.
double error(const MatrixD& sum, const MatrixD& expected, Index rows) {
  return (sum - expected).cwiseAbs().maxCoeff() / std::sqrt(static_cast<double>(rows));
}

TEST(ProductSum, EqualsItsDefinitionForAnyPiecesAndWidths) {
  constexpr Index rows = 2500;
  for (const Index columns : {3, 4096, 4097, 9000}) {
    const MatrixF a = random_matrix<float>(rows, 4, 1), b = random_matrix<float>(rows, columns, 2);
    const MatrixD expected = a.cast<double>().transpose() * b.cast<double>();
    ProductSum whole(4, columns), pieces(4, columns);
    whole.add(a, b);
    for (Index row = 0; row < rows; row += 625) {
      pieces.add(a.middleRows(row, 625), b.middleRows(row, 625));
      if (row % 1250 == 0) pieces.settle();
    }
    EXPECT_LT(error(whole.take(), expected, rows), 1e-5) << columns;
    EXPECT_LT(error(pieces.take(), expected, rows), 1e-5) << columns;
  }
}

TEST(ProductSum, HoldsNoMoreRowsInFloat32ThanItSays) {
  // A number that float32 cannot add to its square: what settled before is not lost.
  MatrixF big = MatrixF::Zero(most_rows_of_float32, 1),
          small = MatrixF::Constant(most_rows_of_float32, 1, 0.5F);
  big(0, 0) = 1e6F;
  const auto square = static_cast<double>(1e6F * 1e6F);
  for (const bool settles : {false, true}) {
    ProductSum sum(1, 1);
    GramSum gram(1);
    for (const auto& piece : {big, small}) {
      sum.add(piece, piece);
      gram.add(piece);
      if (!settles) continue;
      sum.settle();
      gram.settle();
    }
    EXPECT_EQ(sum.take()(0, 0), square + 0.25 * most_rows_of_float32);
    EXPECT_EQ(gram.take()(0, 0), square + 0.25 * most_rows_of_float32);
  }
}

TEST(ProductSum, OfNothingIsZero) {
  ProductSum sum(2, 3);
  sum.add(MatrixF(0, 2), MatrixF(0, 3));
  sum.settle();
  EXPECT_EQ(sum.take(), MatrixD::Zero(2, 3));
  GramSum gram(2);
  gram.settle();
  EXPECT_EQ(gram.take(), MatrixD::Zero(2, 2));
}

TEST(ProductSum, RefusesShapesThatDoNotFit) {
  ProductSum sum(2, 3), wide(2, 5000);
  EXPECT_THROW(sum.add(MatrixF(4, 2), MatrixF(4, 4)), Error);
  EXPECT_THROW(wide.add(MatrixF(4, 2), MatrixF(4, 4999)), Error);
  EXPECT_THROW(sum.add(MatrixF(4, 1), MatrixF(4, 3)), Error);
}

MatrixD mirrored(MatrixD lower) {
  mirror_lower(lower);
  return lower;
}

TEST(GramSum, EqualsItsDefinitionForAnyPieces) {
  const MatrixF a = random_matrix<float>(5000, 30, 3);
  const MatrixD expected = a.cast<double>().transpose() * a.cast<double>();
  GramSum whole(30), pieces(30);
  whole.add(a);
  for (Index row = 0; row < 5000; row += 500) {
    pieces.add(a.middleRows(row, 500));
    if (row % 1000 == 0) pieces.settle();
  }
  EXPECT_LT(error(mirrored(whole.take()), expected, 5000), 3e-5);
  EXPECT_LT(error(mirrored(pieces.take()), expected, 5000), 3e-5);
}

}  // namespace
}  // namespace cinecortex::linalg
