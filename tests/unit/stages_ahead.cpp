#include "../../src/stages/ahead.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <thread>

namespace cinecortex::stages {
namespace {

struct Made {
  Index key;
  std::thread::id thread;
};

TEST(Ahead, MakesTheAnnouncedValueOnAnotherThread) {
  Ahead<Made> ahead([](Index key) { return Made{key, std::this_thread::get_id()}; });
  ahead.announce(4);
  const Made first = ahead.take(3), second = ahead.take(4), third = ahead.take(5);
  EXPECT_EQ(first.key, 3);
  EXPECT_EQ(first.thread, std::this_thread::get_id());
  EXPECT_EQ(second.key, 4);
  EXPECT_NE(second.thread, std::this_thread::get_id());
  EXPECT_EQ(third.thread, std::this_thread::get_id()) << "nobody announced it";
}

TEST(Ahead, NeverMakesTwoAtOnce) {
  std::atomic<int> making = 0, most = 0;
  Ahead<Index> ahead([&](Index key) {
    most = std::max<int>(most, ++making);
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    --making;
    return key;
  });
  for (Index key = 0; key < 20; ++key) {
    ahead.announce(key % 5 == 4 ? key + 100 : key + 1);  // some that nobody takes
    EXPECT_EQ(ahead.take(key), key);
  }
  EXPECT_EQ(most, 1);
}

TEST(Ahead, ThrowsWhereTheValueIsTaken) {
  Ahead<Index> ahead([](Index key) -> Index {
    if (key == 2) throw std::runtime_error("frame 2 is broken");
    return key;
  });
  ahead.announce(2);
  EXPECT_EQ(ahead.take(1), 1);
  EXPECT_THROW(ahead.take(2), std::runtime_error);
  EXPECT_EQ(ahead.take(3), 3) << "and works on";
}

TEST(Ahead, AnUntakenErrorOrValueIsDropped) {
  std::atomic<bool> ended = false;
  {
    Ahead<Index> ahead([&](Index key) -> Index {
      if (key == 0) return key;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      ended = true;
      throw std::runtime_error("nobody sees this");
    });
    ahead.announce(1);
    ahead.take(0);
  }
  EXPECT_TRUE(ended) << "the thread is waited for";
}

}  // namespace
}  // namespace cinecortex::stages
