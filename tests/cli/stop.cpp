// Signals that ask for a stop, and the same command again.
#include <gtest/gtest.h>
#include <signal.h>

#include "cinecortex/io/hdf5.hpp"
#include "program.hpp"
#include "temp_folder.hpp"

namespace cinecortex::testing {
namespace {

namespace fs = std::filesystem;

enum class To { program, first_rank, last_rank, all_ranks, launcher };

std::vector<int> receivers(To to, int pid) {
  if (to == To::program || to == To::launcher) return {pid};
  auto ranks = rank_processes(pid);
  if (ranks.empty() || to == To::all_ranks) return ranks;
  return {to == To::first_rank ? ranks.front() : ranks.back()};
}

/// Sends a signal once, as soon as a folder holds a new file with this extension.
class Warning {
 public:
  Warning(int signal, To to, fs::path folder, std::string extension)
      : signal_(signal), to_(to), folder_(std::move(folder)), extension_(std::move(extension)) {}

  void operator()(int pid) {
    if (sent_ || !holds_file(folder_, extension_, begin_)) return;
    const auto processes = receivers(to_, pid);
    for (const int process : processes) kill(process, signal_);
    sent_ = !processes.empty();
  }

 private:
  int signal_;
  To to_;
  fs::path folder_;
  std::string extension_;
  fs::file_time_type begin_ = fs::file_time_type::clock::now();
  bool sent_ = false;
};

/// One line that says so, and the exit code.
/// @param stage  the one that it has to be; of a whole run it may be the next, for stages take a moment here
void expect_stopped(const Result& result, const std::string& stage = {}) {
  EXPECT_EQ(result.code, 4) << result.err;
  const std::string line = "cinecortex: stopped by a signal during " + (stage.empty() ? stage : stage + ": ");
  const auto at = result.err.find(line);
  ASSERT_NE(at, std::string::npos) << result.err;
  EXPECT_NE(result.err.find("the same command continues\n", at), std::string::npos) << result.err;
  EXPECT_EQ(result.err.find("stopped by", at + line.size()), std::string::npos) << result.err;
  EXPECT_EQ(result.err.find("error:"), std::string::npos) << result.err;
}

struct Stop {
  int signal;
  To to;
  const char* folder;     ///< of outputs, in which …
  const char* extension;  ///< … such a file shows that the stage is on its way
};

/// A run that was stopped. One that was over before the signal came loses the stage's outputs, and begins again.
Result stopped_run(const Arguments& command, int ranks, const Stop& stop, const fs::path& out) {
  constexpr int attempts = 5;
  for (int i = 1;; ++i) {
    auto result =
        run_program(command, ranks, Warning(stop.signal, stop.to, out / stop.folder, stop.extension));
    if (result.code != 0 || i == attempts) return result;
    for (const char* folder : {stop.folder, "scores"}) fs::remove_all(out / folder);
  }
}

void stop_again_and_again(int ranks, const std::vector<Stop>& stops, double tolerance) {
  const TempFolder folder;
  const Arguments command{"run", write_experiment(folder.path()).string(), "--threads", "1"};
  for (const auto& stop : stops) {
    SCOPED_TRACE(stop.folder);
    expect_stopped(stopped_run(command, ranks, stop, folder / "out"));
  }
  EXPECT_FALSE(fs::exists(folder / "out/scores/scores.h5"));
  const auto result = run_program(command, ranks);
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_FALSE(holds_file(folder / "out", ".partial"));
  const auto files = hdf5_files(shared_output());
  ASSERT_EQ(hdf5_files(folder / "out"), files);
  for (const auto& file : files)
    EXPECT_LE(largest_difference(shared_output() / file, folder / "out" / file), tolerance) << file;
}

TEST(Stop, OneProcess) {
  stop_again_and_again(0,
                       {{SIGUSR1, To::program, "features", ".npy"},
                        {SIGTERM, To::program, "pca", ".h5"},
                        {SIGINT, To::program, "ridge", ".h5"}},
                       1e-6);
}

TEST(Stop, ASignalToOneRankStopsAll) {
  stop_again_and_again(2,
                       {{SIGUSR1, To::last_rank, "features", ".npy"},
                        {SIGTERM, To::first_rank, "features", ".npy"},
                        {SIGUSR1, To::last_rank, "pca", ".h5"},
                        {SIGUSR1, To::last_rank, "ridge", ".h5"}},
                       0.0);
}

TEST(Stop, ASignalToTheLauncherOrToAllRanks) {
  stop_again_and_again(3,
                       {{SIGUSR1, To::launcher, "features", ".npy"},
                        {SIGTERM, To::all_ranks, "pca", ".h5"},
                        {SIGUSR1, To::launcher, "ridge", ".h5"}},
                       1e-6);
}

/// Parts of a sweep hold several subjects here, slow enough to be stopped in between.
TEST(Stop, APartOfASweepKeepsTheSubjectsItHas) {
  const TempFolder folder;
  fs::copy(shared_output(), folder / "out", fs::copy_options::recursive);
  const auto experiment = write_experiment(folder.path(), [](std::string& text) {
    text +=
        "[sweep]\nspaces = [\"motion\"]\ncomponents = [10, 15, 20]\ndelay = [0, 1, 2, 3, 4, 5]\n"
        "window = [4, 6, 8, 10]\n";
  });
  const auto sweep = [&](const Arguments& more) {
    Arguments arguments{"sweep", experiment.string(), "--threads", "1"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  };
  const auto parts = folder / "out/sweep/parts";
  const auto part = sweep({"--part", "1/1"});
  expect_stopped(run_program(part, 2, Warning(SIGUSR1, To::first_rank, parts, ".h5")), "sweep");
  const auto share = parts / "part-1-of-1-share-1.h5";
  ASSERT_TRUE(fs::exists(share));
  EXPECT_FALSE(fs::exists(parts / "part-1-of-1.h5"));
  const auto made = fs::last_write_time(share);
  expect_stopped(run_program(part, 2, Warning(SIGUSR1, To::last_rank, parts, ".h5")), "sweep");
  EXPECT_EQ(fs::last_write_time(share), made);

  ASSERT_EQ(run_program(part, 2).code, 0);
  EXPECT_EQ(hdf5_files(parts), std::vector<fs::path>{"part-1-of-1.h5"});
  ASSERT_EQ(run_program(sweep({"--merge", "1"}), 2).code, 0);
  fs::rename(folder / "out/sweep", folder / "stopped");
  ASSERT_EQ(run_program(sweep({}), 2).code, 0);
  const io::Hdf5Reader whole(folder / "out/sweep/sweep.h5"), stopped(folder / "stopped/sweep.h5");
  for (const std::string subject : {"sub-01", "sub-02", "sub-03", "sub-05"}) {
    for (const std::string what : {"/r", "/alpha"}) {
      const auto path = "/motion/" + subject + what;
      EXPECT_EQ(stopped.read<double>(path), whole.read<double>(path)) << path;
    }
  }
}

}  // namespace
}  // namespace cinecortex::testing
