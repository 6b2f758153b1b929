#include <c10/util/Exception.h>
#include <gtest/gtest.h>

#include <new>

#include "batching.hpp"
#include "cinecortex/core/error.hpp"

namespace cinecortex::models {
namespace {

const c10::SourceLocation here{"test", "models_batching.cpp", 1};

TEST(Batches, HalveWhereMemoryRunsOut) {
  Batches batches(8, "model x");
  std::vector<Range> done;
  batches.run(20, [&](Range batch) {
    if (batch.size() > 3) throw c10::OutOfMemoryError(here, "CUDA out of memory");
    done.push_back(batch);
  });
  EXPECT_EQ(batches.size(), 2);
  ASSERT_EQ(done.size(), 10u);
  for (std::size_t i = 0; i < done.size(); ++i) {
    const auto begin = static_cast<Index>(2 * i);
    EXPECT_EQ(done[i], (Range{begin, begin + 2}));
  }
}

TEST(Batches, SayWhatToDoWhereOneIsTooMany) {
  Batches batches(2, "model x");
  try {
    batches.run(2, [](Range) { throw std::bad_alloc(); });
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("model x: memory ran out with a batch of one"),
              std::string::npos);
  }
}

TEST(Batches, LetOtherErrorsPass) {
  Batches batches(2, "model x");
  Index calls = 0;
  EXPECT_THROW(batches.run(4,
                           [&](Range) {
                             ++calls;
                             throw InputError("no sound");
                           }),
               InputError);
  EXPECT_EQ(calls, 1);
  batches.run(0, [&](Range) { FAIL(); });
}

TEST(Batches, AreWhatTheMemoryHolds) {
  constexpr std::int64_t gigabyte = 1'000'000'000;
  EXPECT_EQ(fitting_batch(8 * gigabyte, gigabyte, 32), 4) << "half of what is free";
  EXPECT_EQ(fitting_batch(80 * gigabyte, gigabyte, 32), 32) << "no more than keeps the GPU busy";
  EXPECT_EQ(fitting_batch(gigabyte, gigabyte, 32), 1) << "one is tried in any case";
  EXPECT_EQ(batch_size(7, "cpu", gigabyte, 32), 7) << "asked for";
  EXPECT_EQ(batch_size(0, "cpu", gigabyte, 32), 1);
}

TEST(Batches, KnowTheLibrarysErrors) {
  EXPECT_TRUE(is_out_of_memory(c10::Error(here, "DefaultCPUAllocator: can't allocate memory: you tried")));
  EXPECT_FALSE(is_out_of_memory(c10::Error(here, "sizes do not match")));
  EXPECT_FALSE(is_out_of_memory(std::runtime_error("can't allocate memory")));
  EXPECT_GT(free_device_bytes("cpu"), 0);
}

}  // namespace
}  // namespace cinecortex::models
