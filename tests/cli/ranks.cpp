// The same experiment on 1, 2, 3 and 4 ranks, and without a launcher.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "cinecortex/io/hdf5.hpp"
#include "cinecortex/io/npy.hpp"
#include "program.hpp"
#include "temp_folder.hpp"

namespace cinecortex::testing {
namespace {

namespace fs = std::filesystem;

class Ranks : public ::testing::TestWithParam<int> {};

TEST_P(Ranks, GiveTheSameResults) {
  const TempFolder folder;
  const auto experiment = write_experiment(folder.path());
  const auto result = run_program({"run", experiment.string(), "--threads", "1"}, GetParam());
  ASSERT_EQ(result.code, 0) << result.err;
  const auto files = hdf5_files(shared_output());
  ASSERT_EQ(hdf5_files(folder / "out"), files);
  for (const auto& file : files) {
    EXPECT_LT(largest_difference(shared_output() / file, folder / "out" / file), 1e-6) << file;
  }
}

INSTANTIATE_TEST_SUITE_P(Counts, Ranks, ::testing::Values(1, 2, 3, 4));

TEST(ConstantParcel, IsCountedAndHangsNobody) {
  const TempFolder folder;
  const auto data = folder / "data";
  fs::copy(shared_data(), data, fs::copy_options::recursive | fs::copy_options::create_hard_links);
  const auto func = data / "fmri" / "sub-01" / "func";
  for (const auto& file : hdf5_files(func)) {
    const auto flattened =
        run_command({std::getenv("CINECORTEX_FLATTEN_PARCEL"), (func / file).string(), "4"});
    ASSERT_EQ(flattened.code, 0) << flattened.err;
  }
  const auto experiment = write_experiment(
      folder.path(), [&](std::string& text) { replace(text, shared_data().string(), data.string()); });
  const auto result = run_program({"run", experiment.string(), "--threads", "1"}, 2);
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_NE(result.err.find("1 of 30 targets are constant"), std::string::npos) << result.err;
}

TEST(WithoutALauncher, ProgramsShareNoTemporaryFolder) {
  // Where there cannot be one, a program that wanted one could not begin.
  const TempFolder folder;
  std::ofstream(folder / "file") << "no folder";
  io::write_npy((folder / "x.npy").string(), MatrixD(MatrixD::Random(30, 4)));
  const auto result = run_command(
      {"env", "TMPDIR=" + (folder / "file").string(), std::getenv("CINECORTEX_PROGRAM"), "pca", "--x",
       (folder / "x.npy").string(), "--components", "2", "--output", (folder / "p.h5").string()});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(io::Hdf5Reader(folder / "p.h5").read_vector("/explained_variance").size(), 2);
}

TEST(ManyRanks, MoreThanThereIsWorkAreAllowed) {
  const TempFolder folder;
  const auto experiment = write_experiment(folder.path(), [](std::string& text) {
    replace(text, "base = \"friends:1-4 movie10:figures\"", "base = \"friends:1\"");
    replace(text, "stack = \"friends:5 movie10:bourne\"", "stack = \"friends:5\"");
    replace(text, "test = \"friends:6,7 movie10:life ood:*\"", "test = \"friends:6\"");
    replace(text, "components = 20", "components = 5");
    replace(text, "components = 10", "components = 5");
  });
  const auto result = run_program({"run", experiment.string(), "--threads", "1"}, 8);
  EXPECT_EQ(result.code, 0) << result.err;
}

}  // namespace
}  // namespace cinecortex::testing
