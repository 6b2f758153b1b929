// The program without libtorch and FFmpeg: the same statistics from features that are there, and clear words about what
// it lacks. CINECORTEX_PROGRAM is that program, CINECORTEX_COMPLETE the other.
#include <gtest/gtest.h>

#include <cstdlib>

#include "program.hpp"
#include "temp_folder.hpp"

namespace cinecortex::testing {
namespace {

namespace fs = std::filesystem;

/// An experiment of its own with the shared features, and nothing else done.
std::string experiment_on_features(const TempFolder& folder) {
  fs::create_directories(folder / "out");
  fs::copy(shared_output() / "features", folder / "out/features", fs::copy_options::recursive);
  return write_experiment(folder.path()).string();
}

void expect_words(const std::string& text, const std::vector<std::string>& words) {
  for (const auto& word : words)
    EXPECT_NE(text.find(word), std::string::npos) << word << " is not in:\n" << text;
}

TEST(StatisticsOnly, LinksNeitherLibtorchNorFfmpeg) {
  const auto libraries = run_command({"ldd", std::getenv("CINECORTEX_PROGRAM")});
  ASSERT_EQ(libraries.code, 0) << libraries.err;
  for (const char* library : {"libtorch", "libc10", "libav", "libsw", "libespeak"}) {
    EXPECT_EQ(libraries.out.find(library), std::string::npos) << libraries.out;
  }
}

TEST(StatisticsOnly, SaysSo) {
  expect_words(run_program({"--version"}).out, {"built for statistics only", "torch   not in this build"});
  expect_words(run_program({"--help"}).out, {"built for statistics only", "(not in this build)"});
  expect_words(run_program({"extract", "--help"}).out, {"Built for statistics only"});
}

TEST(StatisticsOnly, GoesFromFeaturesToScores) {
  const TempFolder folder;
  const auto experiment = experiment_on_features(folder);
  const auto checked = run_program({"validate", experiment});
  ASSERT_EQ(checked.code, 0) << checked.err;
  expect_words(checked.out, {"0 to make"});
  const auto result = run_program({"run", experiment, "--threads", "1"}, 2);
  ASSERT_EQ(result.code, 0) << result.err;
  const auto files = hdf5_files(shared_output());
  ASSERT_EQ(hdf5_files(folder / "out"), files);
  for (const auto& file : files) {
    EXPECT_LT(largest_difference(shared_output() / file, folder / "out" / file), 1e-9) << file;
  }
}

TEST(StatisticsOnly, NamesTheFeaturesThatAreMissing) {
  const TempFolder folder;
  const auto experiment = experiment_on_features(folder);
  fs::remove(folder / "out/features/audio/s02e01a.h5");
  for (const char* verb : {"validate", "extract", "run", "pca"}) {
    expect_input_error(run_program({verb, experiment}),
                       {"s02e01a.h5", "space audio", "statistics only", "cinecortex extract"});
  }
}

TEST(StatisticsOnly, RefusesWhatNeedsTheCompleteBuild) {
  const TempFolder folder;
  const auto experiment = experiment_on_features(folder);
  const auto output = (folder / "x.h5").string();
  expect_input_error(run_program({"synth", "--output", (folder / "data").string()}),
                     {"synth", "statistics only"});
  expect_input_error(
      run_program({"extract", "--model", "audio_energy", "--audio", "sound.wav", "--output", output}),
      {"audio_energy", "statistics only", "complete build"});
  expect_input_error(run_program({"pca", experiment, "--device", "cuda"}),
                     {"cuda", "statistics only", "auto, cpu"});
  EXPECT_FALSE(fs::exists(folder / "data"));
}

TEST(StatisticsOnly, FitsMatricesLikeTheCompleteProgram) {
  const TempFolder folder;
  const auto file = (shared_output() / "predictions/sub-01.h5").string();
  const auto fit = [&](const std::string& program, const std::string& name) {
    const auto output = (folder / name).string();
    const auto result =
        run_command({program, "ridge", "--x", file + ":/base/motion/chaplin1", "--y",
                     file + ":/stacked/chaplin1", "--delays", "0,1,2", "--threads", "1", "--output", output});
    EXPECT_EQ(result.code, 0) << result.err;
    return output;
  };
  EXPECT_LT(largest_difference(fit(std::getenv("CINECORTEX_COMPLETE"), "complete.h5"),
                               fit(std::getenv("CINECORTEX_PROGRAM"), "statistics.h5")),
            1e-9);
}

}  // namespace
}  // namespace cinecortex::testing
