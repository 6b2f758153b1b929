// Makes the data set and the finished experiment that the other command-line tests share.
#include <gtest/gtest.h>

#include "cinecortex/io/hdf5.hpp"
#include "program.hpp"

namespace cinecortex::testing {
namespace {

namespace fs = std::filesystem;

TEST(Data, SynthMakesADataSet) {
  const auto result = run_program(
      {"synth", "--output", shared_data().string(), "--parcels", "30", "--run-tr", "40", "--runs-per-season",
       "1", "--runs-per-movie", "1", "--width", "64", "--height", "36", "--frame-rate", "10"},
      2);
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_TRUE(fs::exists(shared_data() / "truth.h5"));
}

TEST(Data, RunTakesItFromMoviesToScores) {
  fs::remove_all(shared_output());
  const auto experiment = write_experiment(shared_folder());
  const auto result = run_program({"run", experiment.string(), "--threads", "1"}, 2);
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_NE(result.out.find("stacked"), std::string::npos) << result.out;
  EXPECT_NE(result.out.find("noise ceiling"), std::string::npos) << result.out;
  for (const char* file :
       {"manifest.json", "features/motion/s01e01a.h5", "pca/audio.h5", "ridge/words/sub-05.h5",
        "stack/sub-01.h5", "predictions/sub-02.h5", "scores/scores.h5", "scores/scores.csv",
        "submission/friends-s7.zip", "submission/ood.zip"}) {
    EXPECT_TRUE(fs::exists(shared_output() / file)) << file;
  }
  for (const auto& entry : fs::recursive_directory_iterator(shared_output())) {
    EXPECT_NE(entry.path().extension(), ".partial") << entry.path();
  }
}

TEST(Data, TheSilentMovieIsPredictedWithoutItsWords) {
  const io::Hdf5Reader predictions(shared_output() / "predictions" / "sub-01.h5");
  EXPECT_TRUE(predictions.contains("/base/motion/chaplin1"));
  EXPECT_TRUE(predictions.contains("/stacked/chaplin1"));
  EXPECT_FALSE(predictions.contains("/base/words/chaplin1"));
  const io::Hdf5Reader stack(shared_output() / "stack" / "sub-01.h5");
  const MatrixD without = stack.read<double>("/weights_without/words");
  EXPECT_EQ(without.row(2).cwiseAbs().maxCoeff(), 0.0);
  EXPECT_NEAR((without.colwise().sum().array() - 1).abs().maxCoeff(), 0.0, 1e-9);
}

}  // namespace
}  // namespace cinecortex::testing
