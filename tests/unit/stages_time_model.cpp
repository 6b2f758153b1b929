#include "../../src/stages/time_model.hpp"

#include <gtest/gtest.h>

namespace cinecortex::stages {
namespace {

constexpr encoding::RidgeShape measured{.rows = 40'000, .columns = 3000, .targets = 4000, .alphas = 15};

/// docs/performance.md, "Ranks": parts of this fit on one core of a machine whose two do 425 and 195 GFLOP/s.
TEST(TimeModel, ComesNearWhatWasMeasured) {
  const double seconds = 6.85 + 2.80 + 0.74 + 3.99 + 27.7;
  const TimeModel model({.single_flops = 425e9 / 2, .double_flops = 195e9 / 2}, 1);
  EXPECT_GT(model.ridge(measured), 0.8 * seconds);
  EXPECT_LT(model.ridge(measured), 1.35 * seconds);
}

TEST(TimeModel, RanksDivideTheWorkButNotTheFiles) {
  const MachineSpeed speed{.single_flops = 1e11, .double_flops = 5e10};
  double before = TimeModel(speed, 1).ridge(measured);
  for (const int ranks : {2, 8, 64, 1024}) {
    const double now = TimeModel(speed, ranks).ridge(measured);
    EXPECT_LT(now, before);
    EXPECT_GT(now * ranks, TimeModel(speed, 1).ridge(measured));
    before = now;
  }
  EXPECT_GT(before, 4.0 * 40'000 * 2 * 4000 / TimeModel::file_bytes_a_second);
}

TEST(TimeModel, FoldsCostADecompositionEach) {
  const MachineSpeed speed{.single_flops = 1e11, .double_flops = 5e10};
  auto by_folds = measured;
  by_folds.folds = 20;
  EXPECT_GT(TimeModel(speed, 1).ridge(by_folds), TimeModel(speed, 1).ridge(measured));
  EXPECT_GT(TimeModel(speed, 4).sweep(measured, {500, 1000, 3000}),
            TimeModel(speed, 4).sweep(measured, {500}));
}

}  // namespace
}  // namespace cinecortex::stages
