#include "cinecortex/encoding/ridge.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "cinecortex/core/error.hpp"

// The fits themselves need a communicator: tests/mpi/encoding_ridge*.cpp.
namespace cinecortex::encoding {
namespace {

std::string message_of(const RidgeOptions& options) {
  try {
    check(options);
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

TEST(RidgeOptions, TheDefaultsAreFifteenAlphasByLeaveOneOut) {
  const RidgeOptions options{.alphas = default_alphas()};
  EXPECT_EQ(options.alphas.size(), 15U);
  EXPECT_EQ(options.criterion, "loo");
  EXPECT_TRUE(options.per_target);
  EXPECT_EQ(message_of(options), "");
}

TEST(RidgeOptions, EveryCriterionThatIsListedIsAccepted) {
  for (auto criterion : ridge_criteria()) {
    if (criterion == "kfold:K") criterion = "kfold:5";
    EXPECT_EQ(message_of({.alphas = {1.0}, .criterion = criterion}), "") << criterion;
  }
}

TEST(RidgeOptions, WrongOnesAreNamed) {
  EXPECT_NE(message_of({.alphas = {}}).find("alphas"), std::string::npos);
  EXPECT_NE(message_of({.alphas = {1.0, -2.0}}).find("-2"), std::string::npos);
  EXPECT_NE(message_of({.alphas = {std::numeric_limits<double>::infinity()}}).find("inf"), std::string::npos);
  EXPECT_NE(message_of({.alphas = {std::numeric_limits<double>::quiet_NaN()}}).find("nan"),
            std::string::npos);
  const auto unknown = message_of({.alphas = {1.0}, .criterion = "leave-one-year-out"});
  for (const auto& criterion : ridge_criteria()) EXPECT_NE(unknown.find(criterion), std::string::npos);
  for (const auto* wrong : {"kfold:", "kfold:1", "kfold:-3", "kfold:2.5", "kfold:five"}) {
    EXPECT_EQ(message_of({.alphas = {1.0}, .criterion = wrong}),
              "kfold:K takes a whole number K of at least 2, e.g. kfold:5");
  }
}

TEST(RidgeOptions, FoldsAreCounted) {
  EXPECT_EQ(fold_count({.criterion = "loo"}), 1);
  EXPECT_EQ(fold_count({.criterion = "leave-one-run-out", .season_of = {0, 1}}), 1);
  EXPECT_EQ(fold_count({.criterion = "kfold:7"}), 7);
  EXPECT_EQ(fold_count({.criterion = "leave-one-season-out", .season_of = {0, 0, 1, 2, 1}}), 3);
}

TEST(RidgeShape, MemoryGrowsWithTheFolds) {
  RidgeShape shape{.rows = 5000, .columns = 1000, .targets = 1000, .block_rows = 500};
  double before = ridge_bytes(shape, {});
  for (const Index folds : {2, 5, 20}) {
    shape.folds = folds;
    const double now = ridge_bytes(shape, {});
    EXPECT_GT(now, before) << folds;
    before = now;
  }
}

/// The cache is a limit, not what small folds take.
TEST(RidgeShape, SmallFoldsTakeLittle) {
  const RidgeShape shape{.rows = 150, .columns = 60, .targets = 120, .folds = 5, .block_rows = 40};
  EXPECT_LT(ridge_bytes(shape, {.targets_at_once = 0, .cache_bytes = Index{4} << 30}), 64.0 * (1 << 20));
}

TEST(RidgeOptions, ZeroIsAnAlpha) {
  EXPECT_EQ(message_of({.alphas = {0.0}}), "");
}

}  // namespace
}  // namespace cinecortex::encoding
