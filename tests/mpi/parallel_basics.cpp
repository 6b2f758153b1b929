#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <mutex>
#include <numeric>
#include <set>
#include <thread>

#include "cinecortex/parallel/agree.hpp"
#include "cinecortex/parallel/communicator.hpp"
#include "cinecortex/parallel/grid.hpp"
#include "cinecortex/parallel/work_queue.hpp"

namespace cinecortex::parallel {
namespace {

TEST(Communicator, ReducesBroadcastsAndGathers) {
  const auto world = Communicator::world();
  const auto size = static_cast<double>(world.size());
  std::vector<double> values(1000, world.rank() + 1.0);
  world.sum(std::span(values));
  EXPECT_DOUBLE_EQ(values.front(), size * (size + 1) / 2);
  EXPECT_DOUBLE_EQ(values.back(), values.front());
  EXPECT_EQ(world.max(std::int64_t{world.rank()}), world.size() - 1);
  EXPECT_EQ(world.min(double(world.rank())), 0.0);

  std::string text = world.root() ? "from the root" : "";
  world.broadcast(text);
  EXPECT_EQ(text, "from the root");

  // Different lengths, one of them empty.
  const std::vector<int> mine(static_cast<std::size_t>(world.rank()), world.rank());
  const auto all = world.gather(std::span<const int>(mine));
  EXPECT_EQ(static_cast<int>(all.size()), world.size() * (world.size() - 1) / 2);
  EXPECT_TRUE(std::is_sorted(all.begin(), all.end()));
  const auto names = world.gather("rank " + std::to_string(world.rank()));
  EXPECT_EQ(names.back(), "rank " + std::to_string(world.size() - 1));
}

TEST(Communicator, SplitsIntoIndependentGroups) {
  const auto world = Communicator::world();
  const auto half = world.split(world.rank() % 2, world.rank());
  EXPECT_EQ(half.size(), (world.size() + (world.rank() % 2 == 0 ? 1 : 0)) / 2);
  EXPECT_EQ(half.sum(std::int64_t{1}), half.size());
  EXPECT_EQ(world.node().size(), world.size());
}

TEST(Agree, ReturnsTheResultWhereNobodyFails) {
  const auto world = Communicator::world();
  EXPECT_EQ(agree(world, [&] { return world.rank() * 10; }), world.rank() * 10);
}

TEST(Agree, ThrowsTheSameErrorEverywhere) {
  const auto world = Communicator::world();
  const int failing = world.size() - 1;
  try {
    agree(world, [&] {
      if (world.rank() == failing) throw std::runtime_error("disk on fire");
    });
    ADD_FAILURE() << "no error";
  } catch (const StageError& e) {
    EXPECT_EQ(e.rank(), failing);
    EXPECT_EQ(e.count(), 1);
    EXPECT_STREQ(e.what(), "disk on fire");
  }
}

TEST(Agree, KeepsTheRankThatFailedFirstWhenAgreedOnAgain) {
  const auto world = Communicator::world();
  const int failing = world.size() - 1;
  try {
    agree_on_failure(world, std::make_exception_ptr(StageError(failing, 1, "disk on fire")));
    ADD_FAILURE() << "no error";
  } catch (const StageError& e) {
    EXPECT_EQ(e.rank(), failing);
    EXPECT_EQ(e.count(), 1);
  }
}

TEST(Agree, KeepsTheUsersMistakeApartFromItsConsequences) {
  const auto world = Communicator::world();
  if (world.size() < 2) return;  // needs two ranks that fail differently
  EXPECT_THROW(agree(world,
                     [&] {
                       if (world.rank() == 0) throw std::runtime_error("consequence");
                       if (world.rank() == 1) throw InputError("cause");
                     }),
               InputError);
}

TEST(WorkQueue, DoesEveryTaskOnceOnWhateverRank) {
  const auto world = Communicator::world();
  for (const Index count : {0, 1, 3, 100}) {
    std::vector<std::int64_t> done(static_cast<std::size_t>(count) + 1, 0);
    Index completed = 0;
    const auto report = run_queue(
        world, count, [&](Index task) { ++done[static_cast<std::size_t>(task)]; },
        [&](Index) -> std::optional<Index> {
          ++completed;
          return std::nullopt;
        });
    world.sum(std::span(done));
    for (Index task = 0; task < count; ++task) EXPECT_EQ(done[static_cast<std::size_t>(task)], 1);
    EXPECT_EQ(world.sum(std::int64_t{report.tasks}), count);
    if (world.root()) {
      EXPECT_EQ(completed, count);
    }
  }
}

TEST(WorkQueue, GivesTheFollowUpToTheRankThatFinished) {
  const auto world = Communicator::world();
  constexpr Index count = 12;
  std::int64_t follow_ups = 0;
  Index last = -1;
  run_queue(
      world, count,
      [&](Index task) {
        if (task >= count) {
          EXPECT_EQ(task - count, last);
          ++follow_ups;
        }
        last = task;
      },
      [&](Index task) -> std::optional<Index> {
        if (task < count && task % 3 == 0) return count + task;
        return std::nullopt;
      });
  EXPECT_EQ(world.sum(follow_ups), 4);
}

TEST(WorkQueue, KeepsAFastRankBusyWhileASlowOneWorks) {
  const auto world = Communicator::world();
  if (world.size() < 2) return;
  // The first task is long; a static deal would leave its rank with count / size tasks.
  const auto report = run_queue(world, 40, [&](Index task) {
    std::this_thread::sleep_for(std::chrono::milliseconds(task == 0 ? 400 : 4));
  });
  const bool had_long_task = report.busy_s > 0.38;
  if (had_long_task) {
    EXPECT_LT(report.tasks, 40 / world.size());
  }
}

TEST(WorkQueue, AnnouncesEachTaskBeforeTheOneInFrontOfItIsDone) {
  const auto world = Communicator::world();
  for (const Index count : {0, 1, 3, 50}) {
    std::vector<std::int64_t> done(static_cast<std::size_t>(2 * count), 0);
    std::set<Index> announced;
    Index unannounced = 0;
    run_queue(
        world, count,
        [&](Index task) {
          ++done[static_cast<std::size_t>(task)];
          if (!announced.contains(task)) ++unannounced;
        },
        [&](Index task) -> std::optional<Index> {
          if (task < count) return count + task;
          return std::nullopt;
        },
        [&](Index task) {
          EXPECT_TRUE(announced.insert(task).second) << task;
          EXPECT_TRUE(task >= count || done[static_cast<std::size_t>(task)] == 0) << task;
        });
    EXPECT_LE(unannounced, 2) << "the first, and what follows the last";
    world.sum(std::span(done));
    for (const auto times : done) EXPECT_EQ(times, 1) << "of " << count;
  }
}

TEST(WorkQueue, DropsWhatWasAnnouncedWhereAnotherFails) {
  const auto world = Communicator::world();
  std::int64_t executed = 0;
  EXPECT_THROW(run_queue(
                   world, 1000,
                   [&](Index task) {
                     ++executed;
                     if (task == 5) throw InputError("run 5 is broken");
                     std::this_thread::sleep_for(std::chrono::microseconds(200));
                   },
                   {}, [](Index) {}),
               InputError);
  EXPECT_LT(world.sum(executed), 1000);
}

TEST(WorkQueue, AFailureStopsEveryRankWithOneMessage) {
  const auto world = Communicator::world();
  Index executed = 0;
  try {
    run_queue(world, 1000, [&](Index task) {
      ++executed;
      if (task == 5) throw InputError("run 5 is broken");
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    });
    ADD_FAILURE() << "no error";
  } catch (const InputError& e) {
    EXPECT_STREQ(e.what(), "run 5 is broken");
  }
  EXPECT_LT(world.sum(std::int64_t{executed}), 1000);
}

TEST(DealLongestFirst, BalancesAndCoversEverything) {
  const std::vector<Index> weights{480, 470, 10, 300, 290, 480, 20};
  for (const Index parts : {1, 2, 3, 10}) {
    const auto dealt = deal_longest_first(weights, parts);
    std::set<Index> seen;
    Index heaviest = 0;
    for (const auto& items : dealt) {
      Index load = 0;
      for (const Index item : items) {
        EXPECT_TRUE(seen.insert(item).second);
        load += weights[static_cast<std::size_t>(item)];
      }
      heaviest = std::max(heaviest, load);
    }
    EXPECT_EQ(seen.size(), weights.size());
    const Index total = std::accumulate(weights.begin(), weights.end(), Index{0});
    EXPECT_LE(heaviest, total / parts + 480);
  }
}

TEST(Grid, UsesEveryRankAndCoversEveryTarget) {
  const auto world = Communicator::world();
  for (const Index targets : {0, 1, 63, 200, 1000}) {
    const Grid grid(world, targets);
    EXPECT_EQ(grid.run_parts() * grid.target_parts(), world.size());
    EXPECT_EQ(grid.run_axis().size(), grid.run_parts());
    EXPECT_EQ(grid.run_axis().rank(), grid.run_part());
    const Index covered = world.sum(std::int64_t{grid.targets_local().size()});
    EXPECT_EQ(covered, targets * grid.run_parts());
  }
}

}  // namespace
}  // namespace cinecortex::parallel
