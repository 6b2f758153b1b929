// Which runs a made-up data set has, how long they are and who saw them.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "../../src/stages/synth/plan.hpp"
#include "../../src/stages/synth/random.hpp"

namespace {

using namespace cinecortex;
using namespace cinecortex::stages;
using namespace cinecortex::stages::synthetic;

const PlannedRun& find(const std::vector<PlannedRun>& runs, const std::string& task) {
  for (const auto& run : runs) {
    if (run.id.task == task) return run;
  }
  throw std::runtime_error("no run " + task);
}

Index scans_of(const PlannedRun& run, int subject) {
  Index scans = 0;
  for (const auto& shown : run.presentations) scans += shown.subject == subject ? 1 : 0;
  return scans;
}

TEST(SynthPlan, HasTheChallengesRuns) {
  const auto runs = plan_runs({});
  EXPECT_EQ(runs.size(), 7U * 4 + 6 * 2);
  std::map<std::string, int> groups;
  for (const auto& run : runs) ++groups[run.id.group()];
  EXPECT_EQ(groups.at("friends-s7"), 4);
  EXPECT_EQ(groups.at("chaplin"), 2);
  EXPECT_EQ(find(runs, "s01e02b").id.season, 1);
  EXPECT_TRUE(find(runs, "s07e01a").withheld);
  EXPECT_TRUE(find(runs, "planetearth2").withheld);
  EXPECT_FALSE(find(runs, "life01").withheld);
  EXPECT_FALSE(find(runs, "chaplin1").speech);
  EXPECT_TRUE(find(runs, "planetearth1").speech);
}

TEST(SynthPlan, RepeatsAndGapsAreThoseOfTheRealData) {
  const auto runs = plan_runs({});
  EXPECT_EQ(scans_of(find(runs, "life01"), 1), 2);
  EXPECT_EQ(scans_of(find(runs, "figures02"), 5), 2);
  EXPECT_EQ(scans_of(find(runs, "bourne01"), 1), 1);
  EXPECT_EQ(scans_of(find(runs, "s05e02b"), 2), 0);
  EXPECT_EQ(scans_of(find(runs, "s05e02b"), 1), 1);
  EXPECT_EQ(scans_of(find(runs, "s04e01a"), 5), 0);
  EXPECT_EQ(scans_of(find(runs, "s04e01b"), 5), 0);
  EXPECT_EQ(scans_of(find(runs, "s04e02a"), 5), 1);
}

TEST(SynthPlan, AGapNeverEmptiesASeason) {
  SynthConfig config;
  config.runs_per_season = 1;
  for (const auto& run : plan_runs(config)) {
    for (const int subject : config.subjects) EXPECT_GT(scans_of(run, subject), 0) << run.id.task;
  }
}

TEST(SynthPlan, LengthsDifferByAFewTrs) {
  const auto runs = plan_runs({});
  std::set<Index> movie_rows, differences;
  for (const auto& run : runs) {
    EXPECT_EQ(run.rows, std::llround(run.duration_s / 1.49));
    movie_rows.insert(run.rows);
    for (const auto& shown : run.presentations) {
      EXPECT_LE(std::abs(shown.rows - run.rows), 2);
      EXPECT_LE(shown.rows, longest_rows(run));
      differences.insert(shown.rows - run.rows);
    }
  }
  EXPECT_GT(movie_rows.size(), 3U);
  EXPECT_EQ(differences.size(), 5U);
}

TEST(SynthPlan, DatasetNamesAreUniquePerSubject) {
  std::set<std::pair<int, std::string>> names;
  std::size_t scans = 0;
  for (const auto& run : plan_runs({})) {
    for (const auto& shown : run.presentations) {
      names.insert({shown.subject, shown.dataset});
      ++scans;
      EXPECT_EQ(shown.dataset.ends_with("_run-2"), shown.repeat == 2);
    }
  }
  EXPECT_EQ(names.size(), scans);
}

TEST(SynthRandom, IsAFunctionOfSeedAndPurpose) {
  Random a(1, "x"), again(1, "x"), other_purpose(1, "y"), other_seed(2, "x");
  for (int i = 0; i < 10; ++i) {
    const double value = a.uniform();
    EXPECT_EQ(value, again.uniform());
    EXPECT_NE(value, other_purpose.uniform());
    EXPECT_NE(value, other_seed.uniform());
  }
}

TEST(SynthRandom, HasTheMomentsItPromises) {
  Random random(5, "moments");
  constexpr int count = 100000;
  double sum = 0, squares = 0, fourth = 0;
  std::map<Index, int> integers;
  for (int i = 0; i < count; ++i) {
    const double x = random.normal();
    sum += x;
    squares += x * x;
    fourth += x * x * x * x;
    ++integers[random.integer(4)];
  }
  EXPECT_NEAR(sum / count, 0, 0.02);
  EXPECT_NEAR(squares / count, 1, 0.03);
  EXPECT_NEAR(fourth / count, 3, 0.2);
  ASSERT_EQ(integers.size(), 4U);
  for (const auto& [value, times] : integers) EXPECT_NEAR(times, count / 4, 800) << value;
}

}  // namespace
