#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>
#include <vector>

#include "cinecortex/parallel/threads.hpp"

namespace cinecortex::parallel {
namespace {

TEST(ForEachInThreads, CallsEveryIndexOnce) {
  for (const int threads : {1, 3}) {
    set_openmp_threads(threads);
    std::vector<std::atomic<int>> calls(100);
    for_each_in_threads(100, [&](Index i) { ++calls.at(static_cast<std::size_t>(i)); });
    for (const auto& count : calls) EXPECT_EQ(count, 1);
    for_each_in_threads(0, [](Index) { FAIL(); });
  }
  set_openmp_threads(1);
}

TEST(ForEachInThreads, TakesNoMoreThreadsThanAllowed) {
  set_openmp_threads(4);
  std::atomic<int> at_work = 0, most = 0;
  for_each_in_threads(50, 2, [&](Index) {
    const int now = ++at_work;
    int before = most;
    while (before < now && !most.compare_exchange_weak(before, now)) {
    }
    std::this_thread::sleep_for(std::chrono::microseconds(200));
    --at_work;
  });
  EXPECT_LE(most, 2);
  set_openmp_threads(1);
}

TEST(ForEachInThreads, CallsNoMoreAfterAFailure) {
  set_openmp_threads(1);
  int calls = 0;
  EXPECT_THROW(for_each_in_threads(10,
                                   [&](Index) {
                                     ++calls;
                                     throw std::out_of_range("the first");
                                   }),
               std::out_of_range);
  EXPECT_EQ(calls, 1);
}

TEST(ForEachInThreads, ThrowsWhatOneCallThrew) {
  set_openmp_threads(2);
  EXPECT_THROW(for_each_in_threads(10,
                                   [](Index i) {
                                     if (i == 7) throw std::out_of_range("seven");
                                   }),
               std::out_of_range);
  set_openmp_threads(1);
}

}  // namespace
}  // namespace cinecortex::parallel
