#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <thread>
#include <vector>

#include "../../src/encoding/read_ahead.hpp"

namespace cinecortex::encoding {
namespace {

using namespace std::chrono_literals;

/// A block's number and the thread that read it.
using Piece = std::pair<Index, std::thread::id>;

Piece read_waiting(Index block) {
  std::this_thread::sleep_for(5ms);
  return {block, std::this_thread::get_id()};
}

TEST(ReadAhead, ReadsAheadOnceABlockMadeItWait) {
  const std::vector<Index> blocks{3, 1, 4, 1, 5};
  ReadAhead ahead(blocks, read_waiting);
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    const auto [block, thread] = ahead.next();
    EXPECT_EQ(block, blocks[i]);
    EXPECT_EQ(thread == std::this_thread::get_id(), i == 0) << i;
  }
}

TEST(ReadAhead, ReadsInPlaceWhatCostsTheProcessorAlone) {
  const std::vector<Index> blocks{2, 7, 1};
  const auto read_in_place = [&] {
    ReadAhead ahead(blocks, [](Index block) {
      for (const double begin = thread_seconds(); thread_seconds() < begin + 0.002;) {
      }
      return Piece{block, std::this_thread::get_id()};
    });
    std::size_t here = 0;
    for (const Index expected : blocks) {
      const auto [block, thread] = ahead.next();
      EXPECT_EQ(block, expected);
      if (thread == std::this_thread::get_id()) ++here;
    }
    return here;
  };
  // A busy machine may take the processor away, which is waiting too; not every time.
  std::size_t most = 0;
  for (int attempt = 0; attempt < 50 && most < blocks.size(); ++attempt)
    most = std::max(most, read_in_place());
  EXPECT_EQ(most, blocks.size());
}

TEST(ReadAhead, ReadsAheadWithOneThread) {
  ReadAhead ahead({1, 2, 3}, [](Index) {
    std::this_thread::sleep_for(5ms);
    return parallel::openmp_threads();
  });
  const int before = parallel::openmp_threads();
  parallel::set_openmp_threads(2);
  EXPECT_EQ(ahead.next(), 2);
  EXPECT_EQ(ahead.next(), 1);
  EXPECT_EQ(parallel::openmp_threads(), 2);
  parallel::set_openmp_threads(before);
}

TEST(ReadAhead, PassesOnWhatReadingThrows) {
  ReadAhead ahead({1, 2, 3}, [](Index block) {
    if (block == 2) throw std::runtime_error("no such block");
    return read_waiting(block);
  });
  EXPECT_EQ(ahead.next().first, 1);
  EXPECT_THROW(ahead.next(), std::runtime_error);
}

TEST(ReadAhead, MayBeLeftBeforeItsEnd) {
  ReadAhead ahead({1, 2, 3}, read_waiting);
  EXPECT_EQ(ahead.next().first, 1);
}

}  // namespace
}  // namespace cinecortex::encoding
