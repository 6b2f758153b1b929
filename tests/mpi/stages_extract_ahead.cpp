// Extraction with movies read ahead, on a made-up data set whose runs are of several chunks.
#include <gtest/gtest.h>

#include <fstream>

#include "cinecortex/io/hdf5.hpp"
#include "cinecortex/stages/stages.hpp"
#include "small_data_set.hpp"

namespace {

using namespace cinecortex;
using parallel::Communicator;
namespace fs = std::filesystem;

class ReadAhead : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    cinecortex::testing::make_small_data_set("extract_data", 24, 48, 32, Communicator::world());
  }

  stages::Config config(const std::string& output, bool ahead) const {
    if (comm_.root()) fs::remove_all(output);
    comm_.barrier();
    stages::Config config;
    config.experiment.data.root = "extract_data";
    config.experiment.data.subjects = {1};
    config.experiment.data.tr_s = 0.8;
    config.experiment.split = {.base = "friends:1-3", .stack = "friends:5", .test = "friends:6"};
    config.experiment.output = output;
    config.experiment.features = fs::path(output) / "features";
    for (const char* model : {"motion_energy", "audio_energy", "word_rate"}) {
      stages::SpaceConfig space;
      space.name = space.model.model = model;
      space.model.tr_s = 0.8;
      if (space.name == "motion_energy") {
        space.model.options = {{"height", std::int64_t{32}},
                               {"width", std::int64_t{48}},
                               {"spatial_frequencies", std::vector<double>{0, 2}}};
      }
      config.experiment.spaces.push_back(space);
    }
    config.runtime.chunk_tr = 5;
    config.runtime.progress = false;
    config.runtime.decode_ahead = ahead;
    return config;
  }

  Communicator comm_ = Communicator::world();
};

TEST_F(ReadAhead, GivesTheSameBits) {
  const auto plain = stages::extract(config("extract_plain", false), comm_),
             ahead = stages::extract(config("extract_ahead", true), comm_);
  EXPECT_EQ(plain.done, 15);
  EXPECT_EQ(ahead.done, 15);
  if (!comm_.root()) return;
  for (const auto& entry : fs::recursive_directory_iterator("extract_plain")) {
    if (entry.path().extension() != ".h5") continue;
    const auto other = fs::path("extract_ahead") / entry.path().lexically_relative("extract_plain");
    EXPECT_EQ(io::Hdf5Reader(entry.path()).read<float>("/features"),
              io::Hdf5Reader(other).read<float>("/features"))
        << other;
  }
}

TEST_F(ReadAhead, ABrokenMovieStopsEveryRankWithItsName) {
  const fs::path movie = "extract_data/stimuli/movies/friends/s2/friends_s02e01a.mkv";
  std::string whole;
  if (comm_.root()) {
    std::ifstream in(movie, std::ios::binary);
    whole.assign(std::istreambuf_iterator<char>(in), {});
    in.close();
    std::string damaged = whole;
    damaged.resize(damaged.size() / 2);
    std::ofstream(movie, std::ios::binary) << damaged;
  }
  comm_.barrier();
  std::string message;
  try {
    stages::extract(config("extract_broken", true), comm_);
  } catch (const InputError& error) {
    message = error.what();
  }
  EXPECT_NE(message.find("friends_s02e01a.mkv"), std::string::npos) << message;
  comm_.barrier();
  if (comm_.root()) std::ofstream(movie, std::ios::binary) << whole;
  comm_.barrier();
}

}  // namespace
