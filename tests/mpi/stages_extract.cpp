// Extraction on more ranks than there are runs, and what it tells of its balance.
#include <gtest/gtest.h>

#include "../../src/stages/extraction_balance.hpp"
#include "cinecortex/io/hdf5.hpp"
#include "cinecortex/io/npy.hpp"
#include "cinecortex/stages/stages.hpp"
#include "small_data_set.hpp"

namespace {

using namespace cinecortex;
using parallel::Communicator;
namespace fs = std::filesystem;

/// One season of one run a role, cut into chunks of a few TRs: more chunks than ranks, more ranks than long runs.
stages::Config experiment(const fs::path& data, const fs::path& output, Index chunk_tr) {
  stages::Config config;
  config.experiment.name = "balance";
  config.experiment.data = {.root = data, .subjects = {1}, .tr_s = 0.8, .trim_tr = {0, 0}};
  config.experiment.split = {
      .base = "friends:1", .stack = "friends:2", .test = "friends:3", .allow_leak = false};
  config.experiment.spaces.resize(1);
  auto& sound = config.experiment.spaces.back();
  sound.name = "sound";
  sound.model.model = "audio_energy";
  sound.model.tr_s = 0.8;
  config.experiment.output = output;
  config.experiment.features = output / "features";
  config.runtime.progress = false;
  config.runtime.chunk_tr = chunk_tr;
  return config;
}

class Extraction : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    const auto comm = Communicator::world();
    if (comm.root()) fs::remove_all("balance");
    cinecortex::testing::make_small_data_set("balance/data", 40, 32, 32, comm);
  }
  Communicator comm_ = Communicator::world();
};

TEST_F(Extraction, OfFewRunsIsSharedByChunks) {
  const auto whole = experiment("balance/data", "balance/whole", 1000);
  const auto cut = experiment("balance/data", "balance/cut", 5);
  const auto one = stages::extract(whole, comm_);
  const auto many = stages::extract(cut, comm_);
  EXPECT_EQ(one.done, 3);
  EXPECT_EQ(many.done, 3);
  Index chunks = 0, tr = 0;
  const auto& ranks = many.details["balance"]["ranks"];
  ASSERT_EQ(ranks.size(), static_cast<std::size_t>(comm_.size()));
  for (const auto& rank : ranks) {
    chunks += rank["chunks"].get<Index>();
    tr += rank["tr"].get<Index>();
    EXPECT_FALSE(rank["node"].get<std::string>().empty());
    EXPECT_GE(rank["idle_s"].get<double>(), 0);
  }
  EXPECT_GE(chunks, 3 * 7);
  EXPECT_EQ(static_cast<double>(tr), many.details["tr_extracted"].get<double>());
  EXPECT_EQ(many.details["balance"]["slowest_chunks"].size(), 5u);
  comm_.barrier();
  for (const char* run : {"s01e01a", "s02e01a", "s03e01a"}) {
    const auto file = fs::path("features/sound") / (std::string(run) + ".h5");
    const MatrixD a = io::Hdf5Reader("balance/whole" / file).read<double>("/features");
    const MatrixD b = io::Hdf5Reader("balance/cut" / file).read<double>("/features");
    EXPECT_EQ(a, b) << run;
  }
  comm_.barrier();
}

TEST_F(Extraction, ThatFindsAllDoneHasNoBalance) {
  const auto config = experiment("balance/data", "balance/again", 5);
  stages::extract(config, comm_);
  const auto again = stages::extract(config, comm_);
  EXPECT_EQ(again.kept, 3);
  EXPECT_FALSE(again.details.contains("balance"));
}

TEST(ExtractionBalance, IsTheSameOnEveryRank) {
  const auto comm = Communicator::world();
  const double mine = 1 + comm.rank();
  const auto balance =
      stages::gather_balance({.tasks = 1, .busy_s = mine, .idle_s = comm.size() - mine, .times = {}},
                             {{comm.rank(), "s01e01a", {0, 10}, mine}}, comm);
  ASSERT_EQ(balance.ranks.size(), static_cast<std::size_t>(comm.size()));
  ASSERT_EQ(balance.chunks.size(), static_cast<std::size_t>(comm.size()));
  for (int rank = 0; rank < comm.size(); ++rank) {
    EXPECT_EQ(balance.ranks[static_cast<std::size_t>(rank)].busy_s, 1 + rank);
    EXPECT_EQ(balance.chunks[static_cast<std::size_t>(rank)].rank, rank);
  }
}

}  // namespace
