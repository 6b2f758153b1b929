#include <gtest/gtest.h>

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
  ReadAhead ahead(blocks, [](Index block) {
    for (const double begin = thread_seconds(); thread_seconds() < begin + 0.005;) {
    }
    return Piece{block, std::this_thread::get_id()};
  });
  // A busy machine may take the processor away, which is waiting too: so only the first block is sure to be read here.
  std::size_t here = 0;
  for (const Index expected : blocks) {
    const auto [block, thread] = ahead.next();
    EXPECT_EQ(block, expected);
    if (thread == std::this_thread::get_id()) ++here;
  }
  EXPECT_GE(here, 1U);
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
