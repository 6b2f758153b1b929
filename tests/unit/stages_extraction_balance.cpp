#include <gtest/gtest.h>

#include "../../src/stages/extraction_balance.hpp"

namespace cinecortex::stages {
namespace {

/// Ranks with ten chunks of 60 TRs each, `seconds` a chunk.
ExtractionBalance worked(const std::vector<double>& seconds) {
  ExtractionBalance balance;
  const double last = *std::max_element(seconds.begin(), seconds.end());
  for (const double of_a_chunk : seconds) {
    const int rank = static_cast<int>(balance.ranks.size());
    balance.ranks.push_back(
        {"node" + std::to_string(rank), 10, 600, 10 * of_a_chunk, 10 * (last - of_a_chunk)});
    for (Index i = 0; i < 10; ++i)
      balance.chunks.push_back({rank, "s01e01a", {60 * i, 60 * (i + 1)}, of_a_chunk});
  }
  return balance;
}

/// One sentence that begins so.
void expect_one(const std::vector<std::string>& sentences, const std::string& beginning) {
  ASSERT_EQ(sentences.size(), 1u);
  EXPECT_TRUE(sentences[0].starts_with(beginning)) << sentences[0];
}

TEST(ExtractionBalance, NamesTheRankThatIsSlow) {
  expect_one(stragglers(worked({6, 6, 6, 13})),
             "rank 3 (node3) takes 2.2 times as long for a TR as the median");
}

TEST(ExtractionBalance, NamesTheChunkThatWasSlow) {
  auto balance = worked({6, 6, 6});
  balance.chunks[14].seconds = 30;
  expect_one(stragglers(balance),
             "s01e01a, TRs 240 to 300 took 30.0 s on rank 1 (node1), 5.0 times the median");
}

TEST(ExtractionBalance, AllowsTheFirstChunkToLoadTheNetwork) {
  auto balance = worked({6, 6, 6});
  for (const std::size_t first : {0, 10, 20}) balance.chunks[first].seconds = 90;
  EXPECT_TRUE(stragglers(balance).empty());
}

TEST(ExtractionBalance, IsSilentAboutWhatCostsLittle) {
  EXPECT_TRUE(stragglers(worked({0.06, 0.06, 0.6})).empty());
  EXPECT_TRUE(stragglers({}).empty());
}

TEST(ExtractionBalance, SaysWhoWaitedAndForWhat) {
  auto balance = worked({5, 6, 10});
  balance.chunks[25].seconds = 11;
  EXPECT_EQ(describe(balance),
            "extract: 3 ranks were busy 70% of the time; rank 0 (node0) waited longest, 50.0 s; "
            "slowest chunk: s01e01a, TRs 300 to 360, 11.0 s on rank 2 (node2)");
  EXPECT_EQ(describe(worked({5})), "");
  EXPECT_EQ(describe({}), "");
}

}  // namespace
}  // namespace cinecortex::stages
