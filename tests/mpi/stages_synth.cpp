// A whole made-up data set: in the challenge's layout, whole, kept when asked for again, and the same for every number
// of ranks.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <sstream>

#include "cinecortex/dataset/catalogue.hpp"
#include "cinecortex/dataset/movie.hpp"
#include "cinecortex/dataset/responses.hpp"
#include "cinecortex/dataset/transcript.hpp"
#include "cinecortex/io/hdf5.hpp"
#include "cinecortex/io/nifti.hpp"
#include "cinecortex/parallel/agree.hpp"
#include "cinecortex/stages/synth.hpp"

namespace {

using namespace cinecortex;
using parallel::Communicator;
namespace fs = std::filesystem;

stages::SynthConfig small(const fs::path& root) {
  stages::SynthConfig config;
  config.root = root;
  config.subjects = {1, 2, 5};
  config.parcels = 10;
  config.run_tr = 24;
  config.tr_s = 0.8;
  config.runs_per_season = 2;
  config.runs_per_movie = 1;
  config.width = 64;
  config.height = 36;
  config.frame_rate_hz = 8;
  return config;
}

std::string content(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

/// The data set all tests look at; the first one to ask makes it.
class SynthDataSet : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    const auto comm = Communicator::world();
    if (comm.root()) fs::remove_all(root());
    comm.barrier();
    made_ = stages::synth(small(root()), comm);
  }
  static fs::path root() { return "synth_data"; }
  /// On rank 0: the others would only look at the same files.
  bool looks() const { return comm_.root(); }

  Communicator comm_ = Communicator::world();
  static inline stages::Summary made_;
};

TEST_F(SynthDataSet, IsInTheChallengesLayout) {
  if (!looks()) return;
  EXPECT_EQ(made_.kept, 0);
  const auto catalogue = dataset::scan(root(), {1, 2, 5});
  EXPECT_EQ(catalogue.runs.size(), 7U * 2 + 6);
  for (const auto& [subject, targets] : catalogue.targets) EXPECT_EQ(targets, 10) << subject;
  EXPECT_EQ(catalogue.atlas.size(), 3U);
  for (const auto& run : catalogue.runs) {
    const bool withheld = run.id.season == 7 || run.id.collection == dataset::Collection::ood;
    EXPECT_FALSE(run.movie.empty()) << run.id.task;
    EXPECT_EQ(run.transcript.empty(), run.id.movie == "chaplin") << run.id.task;
    EXPECT_EQ(run.fmri.empty(), withheld) << run.id.task;
    EXPECT_EQ(run.target_samples.size(), withheld ? 3U : 0U) << run.id.task;
    const bool twice = run.id.movie == "life" || run.id.movie == "figures";
    for (const auto& [subject, sources] : run.fmri) EXPECT_EQ(sources.size(), twice ? 2U : 1U) << run.id.task;
    const bool gap = run.id.task == "s04e01a" || run.id.task == "s05e01b";
    EXPECT_EQ(run.fmri.size(), withheld ? 0U : gap ? 2U : 3U) << run.id.task;
  }
}

TEST_F(SynthDataSet, MoviesAreAsLongAsTheirTranscripts) {
  if (!looks()) return;
  for (const auto& run : dataset::scan(root(), {1}).runs) {
    const dataset::Movie movie(run.movie);
    EXPECT_EQ(movie.info().width, 64);
    EXPECT_NEAR(movie.info().video_s, movie.info().audio_s, 0.2) << run.id.task;
    if (run.transcript.empty()) continue;
    const auto transcript = dataset::read_transcript(run.transcript);
    EXPECT_NEAR(movie.info().video_s / 0.8, double(transcript.size()), 0.7) << run.id.task;
  }
}

TEST_F(SynthDataSet, ResponsesAreTheTruthPlusNoise) {
  if (!looks()) return;
  const io::Hdf5Reader truth(root() / "truth.h5");
  const auto catalogue = dataset::scan(root(), {1, 2, 5});
  const MatrixD weights = truth.read<double>("/weights/sub-05");
  const VectorD variance = truth.read_vector("/noise_variance/sub-05");
  const VectorD ceiling = truth.read_vector("/noise_ceiling/sub-05/single");
  for (Index i = 0; i < ceiling.size(); ++i) EXPECT_NEAR(ceiling[i], std::sqrt(1 / (1 + variance[i])), 1e-12);
  double noise = 0, expected = 0;
  for (const auto& run : catalogue.runs) {
    if (!run.fmri.contains(5)) continue;
    const MatrixD drive = truth.read<double>("/drive/" + run.id.task);
    for (const MatrixF& y : dataset::read_responses(run, 5, {0, 10}, dataset::Repeats::keep)) {
      ASSERT_LE(y.rows(), drive.rows());
      noise += (y.cast<double>() - drive.topRows(y.rows()) * weights).squaredNorm();
      expected += double(y.rows()) * variance.sum();
    }
  }
  EXPECT_NEAR(noise / expected, 1, 0.15);
}

TEST_F(SynthDataSet, WithheldResponsesHaveTheNumberOfSamplesAskedFor) {
  if (!looks()) return;
  const io::Hdf5Reader truth(root() / "truth.h5");
  for (const auto& run : dataset::scan(root(), {2}).runs) {
    if (run.target_samples.empty()) continue;
    const auto info = truth.info("/withheld/sub-02/" + run.id.task);
    EXPECT_EQ(info.shape, (std::vector<Index>{run.target_samples.at(2), 10})) << run.id.task;
  }
  EXPECT_EQ(truth.read_strings("/parcel_type").size(), 10U);
}

TEST_F(SynthDataSet, IsKeptWhenAskedForAgain) {
  const auto again = stages::synth(small(root()), comm_);
  EXPECT_EQ(again.done, 0);
  EXPECT_EQ(again.kept, made_.done);
}

TEST_F(SynthDataSet, WhatIsMissingIsMadeAgainAndEqual) {
  const auto movie = dataset::layout::movie(root(), {dataset::Collection::movie10, "wolf", 0, "wolf01"});
  const auto fmri = dataset::layout::fmri_file(root(), 1, dataset::Collection::movie10, 10);
  std::string movie_before;
  MatrixF responses_before;
  const auto read = [&] {
    return dataset::read_responses(*dataset::scan(root(), {1}).find("wolf01"), 1, {0, 10},
                                   dataset::Repeats::keep)[0];
  };
  if (comm_.root()) {
    movie_before = content(movie);
    responses_before = read();
    fs::remove(movie);
    fs::remove(fmri);
  }
  comm_.barrier();
  const auto again = stages::synth(small(root()), comm_);
  EXPECT_EQ(again.done, 2);
  if (!looks()) return;
  EXPECT_TRUE(content(movie) == movie_before);
  EXPECT_EQ(read(), responses_before);
}

TEST_F(SynthDataSet, DoesNotDependOnTheNumberOfRanks) {
  if (comm_.size() == 1) return;  // there is nothing to compare with
  const auto alone = comm_.split(comm_.rank() == 0 ? 0 : 1, comm_.rank());
  const fs::path other = "synth_data_alone";
  if (comm_.root()) {
    fs::remove_all(other);
    stages::synth(small(other), alone);
    std::size_t compared = 0;
    for (const auto& entry : fs::recursive_directory_iterator(other)) {
      const auto same = root() / fs::relative(entry.path(), other);
      EXPECT_TRUE(fs::exists(same)) << same;
      const auto kind = entry.path().extension();
      if (kind == ".h5" || !entry.is_regular_file()) continue;  // HDF5 files carry the time of their making
      EXPECT_TRUE(content(entry.path()) == content(same)) << same;
      ++compared;
    }
    EXPECT_GT(compared, 40U);
    const auto mine = dataset::scan(root(), {2}), theirs = dataset::scan(other, {2});
    for (std::size_t i = 0; i < mine.runs.size(); ++i) {
      if (mine.runs[i].fmri.empty()) continue;
      const auto a = dataset::read_responses(mine.runs[i], 2, {0, 10}, dataset::Repeats::keep);
      const auto b = dataset::read_responses(theirs.runs[i], 2, {0, 10}, dataset::Repeats::keep);
      EXPECT_LT((a[0] - b[0]).cwiseAbs().maxCoeff(), 1e-5F) << mine.runs[i].id.task;
    }
  }
  comm_.barrier();
}

std::string message_of(const stages::SynthConfig& config, const Communicator& comm) {
  try {
    stages::synth(config, comm);
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

TEST_F(SynthDataSet, RefusesAFolderOfOtherSettings) {
  auto config = small(root());
  config.seed = 7;
  EXPECT_NE(message_of(config, comm_).find("seed = 1004, not 7"), std::string::npos);
}

TEST_F(SynthDataSet, RefusesAFolderItDidNotMake) {
  const fs::path folder = "synth_foreign";
  if (comm_.root()) {
    fs::create_directories(folder);
    std::ofstream(folder / "thesis.txt") << "mine";
  }
  comm_.barrier();
  EXPECT_NE(message_of(small(folder), comm_).find("thesis.txt"), std::string::npos);
}

TEST_F(SynthDataSet, RefusesImpossibleSettings) {
  const auto refused = [&](auto change, const std::string& word) {
    auto config = small("synth_never");
    change(config);
    EXPECT_NE(message_of(config, comm_).find(word), std::string::npos) << word;
    EXPECT_FALSE(fs::exists("synth_never"));
  };
  refused([](auto& c) { c.parcels = 3; }, "parcels is 3");
  refused([](auto& c) { c.subjects = {1, 1}; }, "named twice");
  refused([](auto& c) { c.subjects.clear(); }, "no subjects");
  refused([](auto& c) { c.width = 63; }, "even");
  refused([](auto& c) { c.frame_rate_hz = std::nan(""); }, "frame_rate_hz");
  refused([](auto& c) { c.signal_to_noise = 0; }, "signal_to_noise");
  refused([](auto& c) { c.run_tr = 5; }, "run_tr is 5");
}

}  // namespace
