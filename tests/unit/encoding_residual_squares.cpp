#include <gtest/gtest.h>

#include "../../src/encoding/residual_squares.hpp"

namespace cinecortex::encoding {
namespace {

/// Rows that are no multiple of 32, alphas that are none of 5, and everything a part of something wider.
template <class Scalar>
double largest_error() {
  constexpr Index rows = 75, alphas = 7, terms = 3, width = 96, first = 32, strip = targets_of_a_strip;
  const Matrix<Scalar> wide_p = Matrix<Scalar>::Random(rows, terms * width + 5);
  const Matrix<Scalar> wide_y = Matrix<Scalar>::Random(rows, strip + 9);
  const Matrix<Scalar> wide_w = Matrix<Scalar>::Random(rows, alphas + 2);
  const Matrix<Scalar> wide_c = Matrix<Scalar>::Random(alphas, terms + 4);
  const auto p = wide_p.leftCols(terms * width), y = wide_y.rightCols(strip), w = wide_w.leftCols(alphas),
             c = wide_c.leftCols(terms);
  MatrixD sums = MatrixD::Constant(alphas, strip, 2.0);
  add_residual_squares(p, width, first, y, w, c, sums);
  double largest = 0;
  for (Index a = 0; a < alphas; ++a) {
    for (Index v = 0; v < strip; ++v) {
      double expected = 2.0;
      for (Index i = 0; i < rows; ++i) {
        double residual = y(i, v);
        for (Index q = 0; q < terms; ++q)
          residual -= static_cast<double>(c(a, q)) * static_cast<double>(p(i, q * width + first + v));
        expected += residual * residual * static_cast<double>(w(i, a)) * static_cast<double>(w(i, a));
      }
      largest = std::max(largest, std::abs(sums(a, v) - expected) / expected);
    }
  }
  return largest;
}

TEST(ResidualSquares, EqualTheirDefinition) {
  EXPECT_LT(largest_error<double>(), 1e-14);
  EXPECT_LT(largest_error<float>(), 1e-6);
}

}  // namespace
}  // namespace cinecortex::encoding
