#include "cinecortex/encoding/pca.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <string>

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

/// A space of Llama's width, as the challenge has it.
constexpr PcaShape wide{
    .rows = 30'000, .columns = 20'000, .components = 1000, .single = true, .block_rows = 500};

TEST(PcaSolvers, TheCheapestThatFitsIsTaken) {
  const auto chosen = [](double bytes) { return choose_solver(PcaSolver::automatic, wide, 4, bytes); };
  const double covariance = pca_bytes(PcaSolver::covariance, wide, 4);
  const double randomized = pca_bytes(PcaSolver::randomized, wide, 4);
  EXPECT_GT(covariance, 8.0 * 20'000 * 20'000);
  EXPECT_LT(randomized, covariance / 3);
  EXPECT_EQ(chosen(std::numeric_limits<double>::infinity()), PcaSolver::covariance);
  EXPECT_EQ(chosen(covariance), PcaSolver::covariance);
  EXPECT_EQ(chosen(covariance - 1), PcaSolver::randomized);
  EXPECT_EQ(chosen(randomized), PcaSolver::randomized);
  EXPECT_EQ(choose_solver(PcaSolver::dual, wide, 4, 1e12), PcaSolver::dual);
}

TEST(PcaSolvers, TooLittleMemoryIsRefusedWithWhatIsNeeded) {
  const auto refusal = [](PcaSolver solver) -> std::string {
    try {
      choose_solver(solver, wide, 1, 3e8);
    } catch (const InputError& error) {
      return error.what();
    }
    return "";
  };
  for (const char* part : {"30000 fit rows", "20000 columns", "286.1 MiB", "--memory", "fewer components"}) {
    EXPECT_NE(refusal(PcaSolver::automatic).find(part), std::string::npos) << refusal(PcaSolver::automatic);
  }
  for (const char* part : {"covariance solver", "`auto`"}) {
    EXPECT_NE(refusal(PcaSolver::covariance).find(part), std::string::npos) << refusal(PcaSolver::covariance);
  }
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
