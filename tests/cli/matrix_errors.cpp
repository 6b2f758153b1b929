// Wrong matrices, models and options: one clear message, exit code 2, and no output.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "cinecortex/io/npy.hpp"
#include "program.hpp"
#include "temp_folder.hpp"

namespace cinecortex::testing {
namespace {

namespace fs = std::filesystem;

class Matrices : public ::testing::Test {
 protected:
  void SetUp() override {
    std::srand(3);
    write("x", 40, 6);
    write("y", 40, 3);
  }
  std::string path(const std::string& name) { return (folder_ / (name + ".npy")).string(); }
  void write(const std::string& name, Index rows, Index columns) {
    io::write_npy(path(name), MatrixD(MatrixD::Random(rows, columns)));
  }
  void expect_error(const Arguments& arguments, const std::vector<std::string>& words) {
    for (const int ranks : {0, 2}) expect_input_error(run_program(arguments, ranks), words);
  }
  std::string output() { return (folder_ / "out.h5").string(); }
  TempFolder folder_;
};

TEST_F(Matrices, RowsThatDiffer) {
  write("y", 39, 3);
  expect_error({"ridge", "--x", path("x"), "--y", path("y"), "--output", output()},
               {"40", "39", "x.npy", "y.npy"});
}

TEST_F(Matrices, NanHasItsPlace) {
  MatrixD y = MatrixD::Random(40, 3);
  y(17, 2) = std::numeric_limits<double>::quiet_NaN();
  io::write_npy(path("y"), y);
  expect_error({"ridge", "--x", path("x"), "--y", path("y"), "--output", output()},
               {"y.npy", "17", "2", "NaN"});
  EXPECT_FALSE(fs::exists(output()));
}

TEST_F(Matrices, FilesThatAreMissingOrNotWhatTheySay) {
  expect_error({"pca", "--x", path("nothing"), "--output", output()}, {"nothing.npy"});
  std::ofstream(path("text")) << "hello";
  expect_error({"pca", "--x", path("text"), "--output", output()}, {"text.npy"});
  expect_error({"pca", "--x", shared_data().string() + "/truth.h5:/nothing", "--output", output()},
               {"truth.h5", "/nothing"});
}

TEST_F(Matrices, DelaysBeyondEveryRun) {
  const Arguments files{"--x", path("x"), "--y", path("y"), "--output", output()};
  Arguments ridge{"ridge", "--delays", "1,40"}, shifted{"ridge", "--delays", "39", "--edge", "shift"},
      sweep{"sweep", "--set", "delay=[2, 40]", "--set", "folds=2"};
  for (Arguments* command : {&ridge, &shifted, &sweep}) {
    command->insert(command->end(), files.begin(), files.end());
    expect_error(*command, {"x.npy", "40", "longest"});
  }
  EXPECT_FALSE(fs::exists(output()));
}

TEST_F(Matrices, MoreComponentsThanRows) {
  expect_error({"pca", "--x", path("x"), "--components", "41", "--output", output()}, {"41", "\"all\""});
}

TEST_F(Matrices, UnknownOptionIsSuggested) {
  expect_error({"ridge", "--x", path("x"), "--y", path("y"), "--alpha", "1", "--output", output()},
               {"--alpha", "alphas"});
  expect_error({"rigde", "--x", path("x")}, {"rigde", "ridge"});
}

TEST_F(Matrices, ModelsThatAreTruncatedOrOfAnotherKindOrWidth) {
  ASSERT_EQ(run_program({"ridge", "--x", path("x"), "--y", path("y"), "--output", output()}).code, 0);
  const Arguments predict{"predict", "--model", output(), "--x", path("wide"), "--output", path("p")};
  write("wide", 10, 7);
  expect_error(predict, {"7", "6", "wide.npy"});
  const auto pca = (folder_ / "pca.h5").string();
  ASSERT_EQ(run_program({"pca", "--x", path("x"), "--output", pca}).code, 0);
  expect_error({"predict", "--model", pca, "--x", path("x"), "--output", path("p")}, {"pca.h5", "ridge"});
  fs::resize_file(output(), fs::file_size(output()) / 2);
  expect_error({"predict", "--model", output(), "--x", path("x"), "--output", path("p")}, {"out.h5"});
}

TEST_F(Matrices, ModelsOfAnotherVersion) {
  const auto later = (folder_ / "later.h5").string();
  ASSERT_EQ(run_command({std::getenv("CINECORTEX_FORGE_MODEL"), later, "ridge", "9"}).code, 0);
  expect_error({"predict", "--model", later, "--x", path("x"), "--output", path("p")},
               {"later.h5", "version 9", "version 1"});
}

TEST_F(Matrices, OutputThatCannotBeWritten) {
  expect_error({"ridge", "--x", path("x"), "--y", path("y"), "--output", "/proc/nothing/out.h5"},
               {"/proc/nothing"});
}

/// A disk of 1 MiB. Needs the right to mount, which test machines give to root.
TEST_F(Matrices, FullDisk) {
  const auto disk = folder_ / "disk";
  fs::create_directory(disk);
  if (run_command({"mount", "-t", "tmpfs", "-o", "size=1m", "none", disk.string()}).code != 0) {
    GTEST_SKIP() << "this machine does not let the test mount a small disk";
  }
  write("x", 60, 200);
  write("y", 60, 3000);
  const auto result = run_program(
      {"ridge", "--x", path("x"), "--y", path("y"), "--alphas", "1", "--output", (disk / "out.h5").string()},
      2);
  const bool left = fs::exists(disk / "out.h5");
  run_command({"umount", disk.string()});
  expect_input_error(result, {"out.h5", "space"});
  EXPECT_FALSE(left);
}

}  // namespace
}  // namespace cinecortex::testing
