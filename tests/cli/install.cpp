// `cmake --install`, moved elsewhere, runs the demonstration.
#include <gtest/gtest.h>

#include <cstdlib>
#include <sstream>

#include "program.hpp"
#include "temp_folder.hpp"

namespace cinecortex::testing {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> words(std::string text) {
  for (char& c : text) {
    if (c == ':' || c == '[' || c == ']' || c == '\n') c = ' ';
  }
  std::istringstream in(text);
  std::vector<std::string> found;
  for (std::string word; in >> word;) found.push_back(word);
  return found;
}

/// Installed once for all tests of this file, into a folder that is then renamed.
class Install : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::make_unique<TempFolder>();
    const auto first = *folder_ / "first";
    const auto result = run_command({std::getenv("CINECORTEX_CMAKE"), "--install",
                                     std::getenv("CINECORTEX_BUILD"), "--prefix", first.string()});
    ASSERT_EQ(result.code, 0) << result.err;
    fs::rename(first, prefix());
  }
  static void TearDownTestSuite() { folder_.reset(); }

  static fs::path prefix() { return *folder_ / "moved"; }
  static std::string program() { return (prefix() / "bin" / "cinecortex").string(); }
  static const TempFolder& folder() { return *folder_; }

  static Result run_installed(const Arguments& arguments, int ranks = 0) {
    Arguments command{"env", "-C", folder().path().string()};
    if (ranks > 0) {
      command.insert(command.end(), {std::getenv("CINECORTEX_MPIEXEC"), "-n", std::to_string(ranks)});
    }
    command.push_back(program());
    command.insert(command.end(), arguments.begin(), arguments.end());
    return run_command(command);
  }

 private:
  static inline std::unique_ptr<TempFolder> folder_;
};

TEST_F(Install, NothingPointsIntoTheBuildOrTheSources) {
  const auto libraries = run_command({"ldd", program()});
  ASSERT_EQ(libraries.code, 0) << libraries.err;
  EXPECT_EQ(libraries.out.find("not found"), std::string::npos) << libraries.out;
  const auto dynamic = run_command({"readelf", "--dynamic", program()});
  ASSERT_EQ(dynamic.code, 0) << dynamic.err;
  for (const auto& word : words(libraries.out + dynamic.out)) {
    for (const char* place : {"CINECORTEX_BUILD", "CINECORTEX_SOURCE"}) {
      EXPECT_FALSE(word.starts_with(std::getenv(place))) << word;
    }
  }
}

TEST_F(Install, BringsLibtorchOrRefersToTheSitesOwn) {
  const auto libraries = run_command({"ldd", program()});
  if (std::getenv("CINECORTEX_BUNDLED") == std::string("ON")) {
    EXPECT_NE(libraries.out.find("libtorch_cpu.so => " + prefix().string()), std::string::npos)
        << libraries.out;
  } else {
    EXPECT_FALSE(fs::exists(prefix() / "lib" / "cinecortex" / "libtorch_cpu.so"));
  }
}

TEST_F(Install, HasConfigsJobsToolsAndDocumentation) {
  for (const char* file : {"share/cinecortex/configs/algonauts2025.toml", "share/cinecortex/jobs/site.sh",
                           "share/cinecortex/tools/convert_slow_r50.py", "share/doc/CineCortex/README.md",
                           "share/doc/CineCortex/docs/hpc.md"}) {
    EXPECT_TRUE(fs::exists(prefix() / file)) << file;
  }
  const auto job = fs::status(prefix() / "share/cinecortex/jobs/job.sh").permissions();
  EXPECT_NE(job & fs::perms::owner_exec, fs::perms::none);
}

TEST_F(Install, RunsTheDemonstration) {
  const auto made = run_installed(
      {"synth", "--output", "demo/data", "--parcels", "20", "--run-tr", "40", "--runs-per-season", "1",
       "--runs-per-movie", "1", "--width", "32", "--height", "32", "--frame-rate", "10"},
      2);
  ASSERT_EQ(made.code, 0) << made.err;
  const auto done = run_installed({"run", (prefix() / "share/cinecortex/configs/demo.toml").string()}, 2);
  ASSERT_EQ(done.code, 0) << done.err;
  EXPECT_NE(done.out.find("stacked"), std::string::npos) << done.out;
  EXPECT_TRUE(fs::exists(folder() / "demo/out/submission/ood.zip"));
}

}  // namespace
}  // namespace cinecortex::testing
