#include "cinecortex/encoding/pca.hpp"

#include <gtest/gtest.h>

#include "cinecortex/core/error.hpp"

namespace cinecortex::encoding {
namespace {

TEST(PcaNames, AreParsed) {
  EXPECT_EQ(parse_scale("none"), Scale::none);
  EXPECT_EQ(parse_scale("global"), Scale::global);
  EXPECT_EQ(parse_scale("per-run"), Scale::per_run);
  EXPECT_EQ(parse_pca_solver("auto"), PcaSolver::automatic);
  EXPECT_EQ(parse_pca_solver("covariance"), PcaSolver::covariance);
  EXPECT_EQ(parse_pca_solver("dual"), PcaSolver::dual);
  EXPECT_EQ(parse_pca_solver("randomized"), PcaSolver::randomized);
}

TEST(PcaNames, OthersAreRefusedWithTheList) {
  for (const auto& parse : {+[] { parse_scale("groups"); }, +[] { parse_pca_solver("svd"); }}) {
    try {
      parse();
      ADD_FAILURE() << "accepted";
    } catch (const InputError& error) {
      EXPECT_NE(std::string(error.what()).find("allowed are"), std::string::npos) << error.what();
    }
  }
}

Pca two_of_three(Scale mode) {
  Pca pca;
  pca.scale_mode = mode;
  pca.mean = VectorD::LinSpaced(3, 1.0, 3.0);
  pca.scale = VectorD::LinSpaced(3, 0.5, 1.5);
  pca.components = MatrixD::Zero(2, 3);
  pca.components(0, 2) = 1.0;
  pca.components(1, 0) = 0.6;
  pca.components(1, 1) = 0.8;
  return pca;
}

TEST(PcaTransform, EqualsThePlainDefinition) {
  const Pca pca = two_of_three(Scale::global);
  const MatrixD x = MatrixD::Random(5, 3);
  const MatrixD scores = pca.transform(x);
  for (Index i = 0; i < 5; ++i) {
    for (Index c = 0; c < 2; ++c) {
      double expected = 0;
      for (Index j = 0; j < 3; ++j) expected += (x(i, j) - pca.mean[j]) / pca.scale[j] * pca.components(c, j);
      EXPECT_NEAR(scores(i, c), expected, 1e-14);
    }
  }
}

TEST(PcaTransform, PerRunScalesByAllRowsOfTheRun) {
  Pca pca = two_of_three(Scale::per_run);
  pca.mean.setZero();
  pca.scale.setOnes();
  MatrixD x = MatrixD::Random(8, 3);
  x.col(2).setConstant(1e9);
  x.col(0).array() += 1e6;
  const MatrixD scores = pca.transform(x);
  EXPECT_EQ(scores.col(0), VectorD::Zero(8)) << "a constant column has nothing to say";
  EXPECT_NEAR(scores.col(1).mean(), 0.0, 1e-10);
  for (const Index j : {0, 1}) {
    const VectorD centred = x.col(j).array() - x.col(j).mean();
    x.col(j) = centred / std::sqrt(centred.squaredNorm() / 8.0);
  }
  EXPECT_LT((scores.col(1) - (0.6 * x.col(0) + 0.8 * x.col(1))).cwiseAbs().maxCoeff(), 1e-8);
}

TEST(PcaTransform, NoRowsGiveNoScoresAndOtherWidthsAreRefused) {
  EXPECT_EQ(two_of_three(Scale::per_run).transform(MatrixD(0, 3)).rows(), 0);
  EXPECT_THROW(two_of_three(Scale::none).transform(MatrixD::Zero(4, 2)), InputError);
}

}  // namespace
}  // namespace cinecortex::encoding
