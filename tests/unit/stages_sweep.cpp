#include <gtest/gtest.h>

#include <set>

#include "../../src/stages/sweep_plan.hpp"
#include "../../src/stages/sweep_table.hpp"
#include "cinecortex/core/error.hpp"

namespace cinecortex::stages {
namespace {

using encoding::Design;
using encoding::Edge;

const Design own = Design::shifted_window(3, 2, Edge::shift);

TEST(SweepCases, AreAllCombinations) {
  const auto cases =
      sweep_cases({.components = {4, 8}, .delay = {1, 2}, .window = {1, 3}}, own, 8, "space a");
  ASSERT_EQ(cases.size(), 8u);
  EXPECT_EQ(cases[0].label(), "delay 1, window 1");
  EXPECT_EQ(cases[3].delays(), "4 3 2");
  EXPECT_EQ(cases[7].components, 8);
  EXPECT_EQ(widest_design(cases).delays(), (std::vector<Index>{4, 3, 2, 1}));
  EXPECT_EQ(most_components(cases), 8);
}

TEST(SweepCases, TakeTheSpacesOwnValues) {
  const auto windows = sweep_cases({.window = {4}}, own, 8, "space a");
  ASSERT_EQ(windows.size(), 1u);
  EXPECT_EQ(windows[0].components, 8);
  EXPECT_EQ(windows[0].label(), "delay 3, window 4");
  const auto gaps = Design::fir({0, 5}, Edge::zero);
  EXPECT_EQ(sweep_cases({.components = {2}}, gaps, 8, "space a")[0].label(), "delays 5 0");
  EXPECT_THROW(sweep_cases({.window = {4}}, gaps, 8, "space a"), InputError);
  EXPECT_EQ(sweep_cases({.delay = {1}, .window = {2}}, gaps, 8, "space a")[0].design.edge(), Edge::zero);
}

TEST(SweepShare, DealsEveryCaseOnce) {
  const auto many = sweep_cases({.components = {1, 2, 3}, .delay = {1, 2}, .window = {1, 2}}, own, 3, "");
  const auto few = sweep_cases({.components = {1, 2}}, own, 3, "");
  const std::vector<const std::vector<SweepCase>*> units{&many, &few, &many};
  for (const Index parts : {1, 2, 3, 4, 7, 40}) {
    std::set<std::pair<std::size_t, std::size_t>> dealt;
    std::size_t count = 0;
    for (Index part = 1; part <= parts; ++part) {
      for (const auto& share : sweep_share(units, {part, parts})) {
        for (const auto number : share.cases) {
          dealt.insert({share.unit, number});
          ++count;
        }
        if (parts <= 3) {
          EXPECT_EQ(share.cases.size(), units[share.unit]->size()) << "whole units";
        }
      }
    }
    EXPECT_EQ(count, 26u) << parts;
    EXPECT_EQ(dealt.size(), 26u) << parts;
  }
}

TEST(SweepGroupsOfRuns, BySeasonOrWholeRuns) {
  const std::vector<std::string> runs{"s01e01a", "s01e01b", "s02e01a", "life1", "life1"};
  const std::vector<std::string> seasons{"friends-s1", "friends-s1", "friends-s2", "life", "life"};
  const auto seasonal = sweep_groups({}, runs, seasons);
  EXPECT_EQ(seasonal.of, (std::vector<Index>{0, 0, 1, 2, 2}));
  EXPECT_EQ(seasonal.by, "season");
  const auto contiguous = sweep_groups({SweepFolds::By::contiguous, 2}, runs, seasons);
  EXPECT_EQ(contiguous.of, (std::vector<Index>{0, 0, 1, 1, 1}));
  EXPECT_THROW(sweep_groups({SweepFolds::By::contiguous, 5}, runs, seasons), InputError) << "4 runs only";
  const std::vector<std::string> one(5, "friends-s1");
  EXPECT_THROW(sweep_groups({SweepFolds::By::season, 5}, runs, one), InputError);
  const auto five = sweep_groups({}, {"a", "b", "c", "d", "e"}, one);
  EXPECT_EQ(five.count, 5);
  EXPECT_EQ(five.by, "runs");
}

SweepRow row(const std::string& subject, Index number, Index components, double mean_r) {
  return {
      .space = "a", .subject = subject, .number = number, .tried = {components, own, true}, .mean_r = mean_r};
}

TEST(SweepTable, TheBestIsBestOnAverageAndOfEqualOnesTheSmallest) {
  const std::vector<SweepRow> rows{row("sub-01", 0, 9, 0.2), row("sub-01", 1, 4, 0.3),
                                   row("sub-01", 2, 7, 0.9), row("sub-02", 0, 9, 0.4),
                                   row("sub-02", 1, 4, 0.3), row("sub-02", 2, 7, -0.5)};
  const auto means = sweep_means(rows, "a");
  ASSERT_EQ(means.size(), 3u);
  EXPECT_DOUBLE_EQ(means[0].r, 0.3);
  EXPECT_EQ(means[1].subjects, 2);
  EXPECT_EQ(best_of({{means[1].tried, 0.3, 2}, {means[0].tried, 0.3, 2}}).tried.components, 4);
}

}  // namespace
}  // namespace cinecortex::stages
