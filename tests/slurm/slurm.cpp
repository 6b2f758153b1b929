// The scripts in jobs/ on a real Slurm: a chain of jobs that is warned and queued again, a sweep as an array, and srun
// beside mpirun.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <sstream>
#include <thread>

#include "cinecortex/io/hdf5.hpp"
#include "cluster.hpp"

namespace cinecortex::testing {
namespace {

namespace fs = std::filesystem;

std::string content(const fs::path& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

/// What the stages of an experiment make. `statistics/` is for later runs, and parts of a sweep write none there;
/// `sweep/` holds times.
std::vector<fs::path> results(const fs::path& output) {
  auto files = hdf5_files(output);
  std::erase_if(
      files, [](const fs::path& file) { return *file.begin() == "statistics" || *file.begin() == "sweep"; });
  return files;
}

void expect_same_results(const fs::path& output, const fs::path& expected) {
  const auto files = results(expected);
  ASSERT_FALSE(files.empty());
  ASSERT_EQ(results(output), files);
  for (const auto& file : files) {
    EXPECT_EQ(largest_difference(expected / file, output / file), 0.0) << file;
  }
}

void expect_same_sweep(const fs::path& output, const fs::path& expected) {
  const io::Hdf5Reader a(output / "sweep/sweep.h5"), b(expected / "sweep/sweep.h5");
  for (const std::string space : {"motion_energy", "audio_energy", "word_rate"}) {
    for (const std::string subject : {"sub-01", "sub-02", "sub-03", "sub-05"}) {
      for (const std::string what : {"/r", "/alpha"}) {
        const auto path = "/" + space + "/" + subject + what;
        EXPECT_EQ(a.read<double>(path), b.read<double>(path)) << path;
      }
    }
  }
  // best.toml names the folder it is for.
  const auto best = [](const fs::path& folder) {
    std::string text = content(folder / "sweep/best.toml");
    for (std::size_t at; (at = text.find(folder.string())) != std::string::npos;) {
      text.replace(at, folder.string().size(), "OUT");
    }
    return text;
  };
  EXPECT_EQ(best(output), best(expected));
}

class Slurm : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (Cluster::missing().empty()) cluster_ = std::make_unique<Cluster>();
  }
  static void TearDownTestSuite() { cluster_.reset(); }

  void SetUp() override {
    if (const auto missing = Cluster::missing(); !missing.empty()) {
      GTEST_SKIP() << "SLURM IS NOT TESTED HERE: " << missing;
    }
    ASSERT_TRUE(cluster_);
    // What the tests set for mpirun's sake would hide what srun does not say to the program.
    unsetenv("OMPI_MCA_mpi_yield_when_idle");
  }
  void TearDown() override {
    if (!HasFailure() || !cluster_) return;
    ADD_FAILURE() << cluster_->logs();
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(folder_ / "logs", ignored)) {
      ADD_FAILURE() << "--- " << entry.path() << '\n' << content(entry.path());
    }
  }

  static const char* program() { return std::getenv("CINECORTEX_PROGRAM"); }

  static Arguments srun(const std::string& tasks, const Arguments& arguments) {
    Arguments command{"srun", "--mpi=pmix", "--wait=60", "--overcommit", "--ntasks=" + tasks, program()};
    command.insert(command.end(), arguments.begin(), arguments.end());
    return command;
  }

  /// configs/demo.toml on the small data set, with a sweep.
  fs::path demo(const std::string& output) const {
    std::string text = content(fs::path(std::getenv("CINECORTEX_SOURCE")) / "configs/demo.toml");
    replace(text, "demo/data", shared_data().string());
    replace(text, "demo/out", (folder_ / output).string());
    text += "\n[sweep]\ncomponents = [3, 6]\ndelay = [1, 3]\nwindow = [1, 3]\n";
    const auto file = folder_ / (output + ".toml");
    std::ofstream(file) << text;
    return file;
  }

  void write_site(const std::string& launcher) const {
    const auto file = folder_ / "site.sh";
    std::ofstream(file) << content(fs::path(std::getenv("CINECORTEX_SOURCE")) / "jobs/site.sh")
                        << "program=" << program() << "\nlauncher=" << launcher
                        << "\nbind=none\nlogs=" << (folder_ / "logs").string()
                        << "\ncpu_partition=cpu\ncpu_ranks=2\ncpu_threads=1\ncpu_memory=\n"
                           "gpu_partition=gpu\ngpus=2\ngpu_threads=1\ngpu_memory=\n";
    setenv("CINECORTEX_SITE", file.c_str(), 1);
  }

  /// Runs a script of jobs/.   @return the numbers of the jobs that it names
  std::vector<std::string> submit(const std::string& script, const Arguments& arguments) const {
    Arguments command{(fs::path(std::getenv("CINECORTEX_SOURCE")) / "jobs" / script).string()};
    command.insert(command.end(), arguments.begin(), arguments.end());
    const auto result = run_command(command);
    EXPECT_EQ(result.code, 0) << result.err;
    std::istringstream text(result.out);
    std::vector<std::string> ids;
    for (std::string word; text >> word;) {
      if (word == "job" && text >> word) ids.push_back(word.substr(0, word.find(',')));
    }
    return ids;
  }

  std::string log(const std::string& name) const { return content(folder_ / "logs" / (name + ".out")); }

  static std::unique_ptr<Cluster> cluster_;
  TempFolder folder_;
};

std::unique_ptr<Cluster> Slurm::cluster_;

void expect_all_completed(const std::vector<Job>& jobs) {
  for (const auto& job : jobs) {
    EXPECT_EQ(job.state, "COMPLETED") << job.id << ' ' << job.reason;
    EXPECT_EQ(job.exit_code, "0:0") << job.id;
  }
}

/// Whether jobs may begin: so that none is over before the test looks.
void let_jobs_begin(bool may) {
  for (const std::string partition : {"cpu", "gpu"}) {
    const auto set = run_command(
        {"scontrol", "update", "PartitionName=" + partition, std::string("State=") + (may ? "UP" : "DOWN")});
    ASSERT_EQ(set.code, 0) << set.err;
  }
}

/// Sends a job the signal that Slurm sends ahead of the time limit, once extraction is on its way.
void warn_while_extracting(const std::string& id, const fs::path& output) {
  for (int i = 0; i < 6000 && !holds_file(output / "features", ".npy"); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  ASSERT_TRUE(holds_file(output / "features", ".npy")) << "extraction does not begin";
  const auto sent = run_command({"scancel", "--batch", "--signal=USR1", id});
  ASSERT_EQ(sent.code, 0) << sent.err;
}

TEST_F(Slurm, AChainThatIsWarnedAndASweepThatLosesAPartEndAsUnderMpirun) {
  const auto reference = demo("reference").string();
  for (const char* verb : {"run", "sweep"}) {
    const auto result = run_program({verb, reference, "--threads", "1"}, 2);
    ASSERT_EQ(result.code, 0) << result.err;
  }

  write_site("srun");
  const auto experiment = demo("chain").string();
  let_jobs_begin(false);
  const auto chain = submit("experiment.sh", {experiment});
  ASSERT_EQ(chain.size(), 6u);
  setenv("CINECORTEX_AFTER", chain.back().c_str(), 1);
  const auto sweep = submit("sweep.sh", {experiment, "4"});
  unsetenv("CINECORTEX_AFTER");
  ASSERT_EQ(sweep.size(), 2u);
  ASSERT_EQ(run_command({"scancel", sweep[0] + "_3"}).code, 0);

  let_jobs_begin(true);
  warn_while_extracting(chain[0], folder_ / "chain");
  const auto done = wait_for(chain);
  expect_all_completed(done);
  ASSERT_FALSE(done.empty());
  EXPECT_EQ(done[0].restarts, 1);
  const auto said = log("extract-" + chain[0]);
  EXPECT_NE(said.find("stopped by a signal during extract"), std::string::npos) << said;
  EXPECT_NE(said.find("queueing job " + chain[0] + " again"), std::string::npos) << said;
  EXPECT_FALSE(holds_file(folder_ / "chain", ".partial"));

  // The job that puts parts together names the one that was lost; it alone is sent again.
  for (const auto& job : wait_for(sweep)) {
    if (job.id == sweep[0] + "_3") continue;
    EXPECT_EQ(job.state, job.id == sweep[1] ? "FAILED" : "COMPLETED") << job.id;
    EXPECT_EQ(job.exit_code, job.id == sweep[1] ? "2:0" : "0:0") << job.id;
  }
  const auto named = log("merge-" + sweep[1]);
  EXPECT_NE(named.find("not there yet: 3/4;"), std::string::npos) << named;
  const auto again = submit("sweep.sh", {experiment, "4", "3"});
  ASSERT_EQ(again.size(), 2u);
  expect_all_completed(wait_for(again));
  EXPECT_NE(log("merge-" + again[1]).find("best.toml"), std::string::npos);

  expect_same_sweep(folder_ / "chain", folder_ / "reference");
  expect_same_results(folder_ / "chain", folder_ / "reference");
}

TEST_F(Slurm, AJobOfMpirunIsWarnedToo) {
  write_site("mpirun");
  const auto experiment = demo("out").string();
  const auto result =
      run_command({(fs::path(std::getenv("CINECORTEX_SOURCE")) / "jobs/extract.sh").string(), experiment});
  ASSERT_EQ(result.code, 0) << result.err;
  const std::string id = result.out.substr(0, result.out.find('\n'));
  warn_while_extracting(id, folder_ / "out");
  const auto done = wait_for({id});
  expect_all_completed(done);
  ASSERT_EQ(done.size(), 1u);
  EXPECT_EQ(done[0].restarts, 1);
  EXPECT_FALSE(holds_file(folder_ / "out", ".npy")) << "chunks that belong to no run";
}

TEST_F(Slurm, SrunEqualsMpirun) {
  for (const std::string tasks : {"1", "2", "4"}) {
    SCOPED_TRACE(tasks);
    const auto experiment = write_experiment(folder_.path()).string();
    const auto run_into = [&](const std::string& output) {
      return Arguments{"run", experiment, "--threads",
                       "1",   "--set",    "output.dir=" + (folder_ / output).string()};
    };
    const auto with_srun = run_command(srun(tasks, run_into("srun-" + tasks)));
    ASSERT_EQ(with_srun.code, 0) << with_srun.err;
    const auto with_mpirun = run_program(run_into("mpirun-" + tasks), std::stoi(tasks));
    ASSERT_EQ(with_mpirun.code, 0) << with_mpirun.err;
    expect_same_results(folder_ / ("srun-" + tasks), folder_ / ("mpirun-" + tasks));
  }
}

/// Ranks that spin while they wait would take a minute for what takes seconds.
TEST_F(Slurm, MoreTasksThanProcessorsDoNotStall) {
  const auto experiment = write_experiment(folder_.path()).string();
  fs::copy(shared_output(), folder_ / "out", fs::copy_options::recursive);
  const auto tasks = std::to_string(std::max(6L, sysconf(_SC_NPROCESSORS_ONLN) + 2));
  const auto result = run_command(srun(tasks, {"pca", experiment, "--threads", "1", "--force"}));
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_LT(largest_difference(folder_ / "out/pca/audio.h5", shared_output() / "pca/audio.h5"), 1e-6);
}

/// The last one, for it stops the cluster.
TEST_F(Slurm, TheClusterLeavesNothingBehind) {
  const auto folder = cluster_->folder();
  EXPECT_GE(Cluster::processes(folder).size(), 3u);
  cluster_.reset();
  EXPECT_FALSE(fs::exists(folder));
  EXPECT_EQ(Cluster::processes(folder), std::vector<int>{});
}

}  // namespace
}  // namespace cinecortex::testing
