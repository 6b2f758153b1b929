#include "cinecortex/linalg/device.hpp"

#include <gtest/gtest.h>

#include "cinecortex/core/error.hpp"
#include "cinecortex/linalg/dense.hpp"
#include "cinecortex/linalg/product_sum.hpp"
#include "random_matrix.hpp"

// The code of a GPU, run by libtorch on the CPU: what it computes, not how fast.
namespace cinecortex::linalg {
namespace {

class OnDevice : public testing::Test {
 protected:
  void SetUp() override { set_device("torch-cpu"); }
  void TearDown() override { set_device("cpu"); }
};

TEST_F(OnDevice, ProductsOfEveryFormEqualTheirDefinition) {
  for (const bool ta : {false, true}) {
    for (const bool tb : {false, true}) {
      const MatrixD wide_a = ta ? random_matrix(7, 9, 1) : random_matrix(5, 11, 1);
      const MatrixD wide_b = tb ? random_matrix(6, 10, 2) : random_matrix(7, 8, 2);
      const auto a = ta ? wide_a.leftCols(5) : wide_a.leftCols(7);  // rows that lie apart
      const auto b = tb ? wide_b.leftCols(7) : wide_b.leftCols(6);
      const MatrixD left = ta ? MatrixD(a.transpose()) : MatrixD(a),
                    right = tb ? MatrixD(b.transpose()) : MatrixD(b);
      MatrixD c = random_matrix(5, 6, 3);
      const MatrixD expected = 2.0 * left * right - 0.5 * c;
      MatrixF single = c.cast<float>();
      gemm(ta, tb, 2.0, a, b, -0.5, c);
      EXPECT_LT((c - expected).cwiseAbs().maxCoeff(), 1e-13);
      gemm(ta, tb, 2.0F, MatrixF(a.cast<float>()), MatrixF(b.cast<float>()), -0.5F, single);
      EXPECT_LT((single.cast<double>() - expected).cwiseAbs().maxCoeff(), 1e-5);
    }
  }
}

TEST_F(OnDevice, SumsStayThereAndComeBack) {
  const MatrixD a = random_matrix(40, 6, 4), b = random_matrix(40, 3, 5);
  ProductSum product(6, 3);
  GramSum gram(6);
  for (Index row = 0; row < 40; row += 10) {
    product.add(a.middleRows(row, 10), b.middleRows(row, 10));
    gram.add(MatrixF(a.middleRows(row, 10).cast<float>()));
  }
  EXPECT_LT((product.take() - a.transpose() * b).cwiseAbs().maxCoeff(), 1e-12);
  EXPECT_LT((gram.take() - a.transpose() * a).cwiseAbs().maxCoeff(), 1e-5);
}

TEST_F(OnDevice, SumsOfFloat32AreCutWhereTheProcessorCutsThem) {
  const MatrixF a = random_matrix(5000, 4, 7).cast<float>(), b = random_matrix(5000, 3, 8).cast<float>();
  ProductSum whole(4, 3), pieces(4, 3);
  whole.add(a, b);
  for (const Range rows : {Range{0, 2048}, {2048, 4096}, {4096, 5000}}) {
    pieces.add(a.middleRows(rows.begin, rows.size()), b.middleRows(rows.begin, rows.size()));
  }
  EXPECT_EQ(whole.take(), pieces.take());
}

TEST_F(OnDevice, EigenpairsAreThoseOfLapack) {
  const MatrixD a = random_matrix(30, 12, 6);
  const MatrixD gram = a.transpose() * a;
  const auto there = eigh(gram);
  set_device("cpu");
  const auto here = eigh(gram);
  EXPECT_LT((there.values - here.values).cwiseAbs().maxCoeff(), 1e-11);
  EXPECT_LT((gram * there.vectors - there.vectors * there.values.asDiagonal()).cwiseAbs().maxCoeff(), 1e-11);
}

TEST(Device, OthersAreRefused) {
  EXPECT_EQ(device(), "cpu");
  EXPECT_THROW(set_device("gpu"), InputError);
  EXPECT_THROW(set_device("cuda:99"), InputError);
  EXPECT_EQ(device(), "cpu");
}

}  // namespace
}  // namespace cinecortex::linalg
