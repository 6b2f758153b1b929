#include <gtest/gtest.h>

#include "../../src/stages/kept_statistics.hpp"

namespace cinecortex::stages {
namespace {

const std::vector<std::string> runs{"s01e01a", "s01e01b", "s02e01a", "s02e01b", "life1", "life1"};
const std::vector<std::string> seasons{"s1", "s1", "s2", "s2", "life", "life"};

std::vector<Index> groups(const std::string& criterion, std::optional<SweepFolds> folds = {}) {
  Experiment experiment;
  experiment.ridge.criterion = criterion;
  if (folds) experiment.sweep = SweepConfig{.folds = *folds};
  return statistics_groups(runs, seasons, experiment).of;
}

TEST(StatisticsGroups, AreSeasonsAndAsFineAsFoldsNeed) {
  const std::vector<Index> by_season{0, 0, 1, 1, 2, 2};
  EXPECT_EQ(groups("loo"), by_season);
  EXPECT_EQ(groups("leave-one-run-out"), by_season);
  EXPECT_EQ(groups("loo", SweepFolds{}), by_season);
  // Folds of the five runs: {0, 1, 2}, {3, 4}.
  EXPECT_EQ(groups("kfold:2"), (std::vector<Index>{0, 0, 1, 2, 3, 3}));
  EXPECT_EQ(groups("gcv", SweepFolds{SweepFolds::By::contiguous, 2}), groups("kfold:2"));
  // {0, 1}, {2, 3}, {4}: seasons again; together with halves as above.
  EXPECT_EQ(groups("kfold:3"), by_season);
  EXPECT_EQ(groups("kfold:3", SweepFolds{SweepFolds::By::contiguous, 2}), groups("kfold:2"));
}

TEST(StatisticsGroups, LeaveFoldsThatCannotBeMadeToWhoAsksForThem) {
  EXPECT_EQ(groups("kfold:6"), groups("loo"));
  Experiment experiment;
  experiment.sweep = SweepConfig{};
  const auto few = statistics_groups({"a", "b"}, {"s1", "s1"}, experiment);
  EXPECT_EQ(few.of, (std::vector<Index>{0, 0}));
  EXPECT_EQ(few.count, 1);
}

TEST(StatisticsBytes, AreThoseOfTheSums) {
  StatisticsContent content{.delays = {2, 3, 4}, .components = 500, .runs = {"a", "b"}, .group_of = {0, 1}};
  const double sums = 8.0 * 2 * (3 * 500 * 500 + 3 * 500 * 1000);
  EXPECT_GT(statistics_bytes(content, 1000), sums);
  EXPECT_LT(statistics_bytes(content, 1000), 1.05 * sums);
}

}  // namespace
}  // namespace cinecortex::stages
