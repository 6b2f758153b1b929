// Killed ranks, and the same command again.
#include <gtest/gtest.h>
#include <signal.h>

#include "program.hpp"
#include "temp_folder.hpp"

namespace cinecortex::testing {
namespace {

namespace fs = std::filesystem;

/// Kills one rank as soon as `when` says so.
std::function<void(int)> kill_a_rank(const std::function<bool()>& when, bool& killed) {
  return [when, &killed](int mpirun_pid) {
    if (killed || !when()) return;
    const auto ranks = rank_processes(mpirun_pid);
    if (ranks.size() < 2) return;
    kill(ranks.back(), SIGKILL);
    killed = true;
  };
}

void expect_as_undisturbed(const fs::path& output) {
  const auto files = hdf5_files(shared_output());
  ASSERT_EQ(hdf5_files(output), files);
  for (const auto& file : files)
    EXPECT_EQ(largest_difference(shared_output() / file, output / file), 0.0) << file;
}

TEST(Resume, AfterARankWasKilledDuringExtraction) {
  const TempFolder folder;
  const auto experiment = write_experiment(folder.path()).string();
  bool killed = false;
  const auto broken =
      run_program({"extract", experiment, "--threads", "1"}, 2,
                  kill_a_rank([&] { return holds_file(folder / "out/features", ".npy"); }, killed));
  ASSERT_TRUE(killed) << "extraction was over before it could be killed";
  EXPECT_NE(broken.code, 0);
  ASSERT_FALSE(fs::exists(folder / "out/pca"));
  const auto again = run_program({"run", experiment, "--threads", "1"}, 2);
  ASSERT_EQ(again.code, 0) << again.err;
  EXPECT_FALSE(holds_file(folder / "out", ".partial"));
  expect_as_undisturbed(folder / "out");
}

TEST(Resume, AfterARankWasKilledDuringRidge) {
  const TempFolder folder;
  const auto experiment = write_experiment(folder.path()).string();
  ASSERT_EQ(run_program({"extract", experiment, "--threads", "1"}, 2).code, 0);
  ASSERT_EQ(run_program({"pca", experiment, "--threads", "1"}, 2).code, 0);
  bool killed = false;
  const auto broken =
      run_program({"ridge", experiment, "--threads", "1"}, 2,
                  kill_a_rank([&] { return holds_file(folder / "out/ridge", ".h5"); }, killed));
  ASSERT_TRUE(killed) << "ridge was over before it could be killed";
  EXPECT_NE(broken.code, 0);
  const auto again = run_program({"run", experiment, "--threads", "1"}, 2);
  ASSERT_EQ(again.code, 0) << again.err;
  expect_as_undisturbed(folder / "out");
}

/// A finished experiment of one's own, to change: features are expensive, so they are copied.
std::string copy_of_shared(const TempFolder& folder, const std::function<void(std::string&)>& edit = {}) {
  fs::copy(shared_output(), folder / "out", fs::copy_options::recursive);
  return write_experiment(folder.path(), edit).string();
}

TEST(Resume, AFinishedExperimentIsKept) {
  const TempFolder folder;
  const auto experiment = copy_of_shared(folder);
  const auto before = fs::last_write_time(folder / "out/stack/sub-01.h5");
  const auto result = run_program({"run", experiment});
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(fs::last_write_time(folder / "out/stack/sub-01.h5"), before);
  EXPECT_NE(result.out.find("stacked"), std::string::npos) << "the table is shown all the same";
}

TEST(Resume, OnlyWhatDependsOnAChangeIsRedone) {
  const TempFolder folder;
  const auto experiment = copy_of_shared(folder);
  const auto time = [&](const std::string& file) { return fs::last_write_time(folder / "out" / file); };
  const auto pca = time("pca/audio.h5"), other = time("ridge/words/sub-01.h5"),
             changed = time("ridge/audio/sub-01.h5");
  const auto stack = time("stack/sub-01.h5");
  const auto result = run_program({"run", experiment, "--set", "space.audio.delays=[2, 3]"});
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(time("pca/audio.h5"), pca);
  EXPECT_EQ(time("ridge/words/sub-01.h5"), other);
  EXPECT_NE(time("ridge/audio/sub-01.h5"), changed);
  EXPECT_NE(time("stack/sub-01.h5"), stack);
}

TEST(Resume, AnotherTestRunLeavesTheModelsAlone) {
  const TempFolder folder;
  const auto experiment = copy_of_shared(folder);
  const auto ridge = fs::last_write_time(folder / "out/ridge/audio/sub-01.h5");
  const auto prediction = fs::last_write_time(folder / "out/predictions/sub-01.h5");
  const auto result =
      run_program({"run", experiment, "--set", "split.test=\"friends:6,7 movie10:life,wolf ood:*\""});
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(fs::last_write_time(folder / "out/ridge/audio/sub-01.h5"), ridge);
  EXPECT_NE(fs::last_write_time(folder / "out/predictions/sub-01.h5"), prediction);
}

TEST(Resume, AStageThatLacksItsInputSaysWhatToRun) {
  const TempFolder folder;
  const auto experiment = copy_of_shared(folder);
  const auto result = run_program({"stack", experiment, "--set", "ridge.alphas=[1]"});
  EXPECT_EQ(result.code, 2);
  EXPECT_NE(result.err.find("cinecortex ridge"), std::string::npos) << result.err;
}

}  // namespace
}  // namespace cinecortex::testing
