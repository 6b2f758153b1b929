// Explained variance by space, on the finished experiment, from one to four ranks.
#include <gtest/gtest.h>

#include <fstream>

#include "cinecortex/io/hdf5.hpp"
#include "program.hpp"
#include "temp_folder.hpp"

namespace cinecortex::testing {
namespace {

namespace fs = std::filesystem;

std::string copy_of_shared(const TempFolder& folder) {
  fs::copy(shared_output(), folder / "out", fs::copy_options::recursive);
  return write_experiment(folder.path()).string();
}

TEST(Partition, IsTheSameForAnyNumberOfRanksAndAddsUp) {
  const TempFolder first;
  const auto experiment = copy_of_shared(first);
  const auto result = run_program({"partition", experiment, "--threads", "1"});
  ASSERT_EQ(result.code, 0) << result.err;
  for (const char* word : {"motion+audio+words", "unique", "shared", "rest", "sub-05", "mean"}) {
    EXPECT_NE(result.out.find(word), std::string::npos) << word << " in:\n" << result.out;
  }
  const io::Hdf5Reader file(first / "out/partition/sub-01.h5");
  EXPECT_EQ(file.children("/r2").size(), 7U);
  VectorD sum = file.read_vector("/rest");
  for (const auto& space : file.children("/unique")) sum += file.read_vector("/unique/" + space);
  for (const auto& pair : file.children("/shared")) sum += file.read_vector("/shared/" + pair);
  EXPECT_LT((sum - file.read_vector("/r2/motion+audio+words")).cwiseAbs().maxCoeff(), 1e-12);
  EXPECT_EQ(file.attribute("/", "held_out"), io::Attribute(std::string("test")));

  std::ifstream csv(first / "out/partition/partition.csv");
  std::string header;
  std::getline(csv, header);
  EXPECT_EQ(header, "subject,part,spaces,split,n,mean_r2,median_r2,mean_r");
  std::size_t lines = 0;
  for (std::string line; std::getline(csv, line);) ++lines;
  EXPECT_EQ(lines, 4U * (7 + 3 + 3 + 1));

  for (const int ranks : {2, 3, 4}) {
    const TempFolder folder;
    const auto again = run_program({"partition", copy_of_shared(folder), "--threads", "1"}, ranks);
    ASSERT_EQ(again.code, 0) << again.err;
    for (const char* subject : {"sub-01.h5", "sub-02.h5", "sub-03.h5", "sub-05.h5"}) {
      EXPECT_LT(largest_difference(first / "out/partition" / subject, folder / "out/partition" / subject),
                1e-6)
          << subject << " on " << ranks << " ranks";
    }
  }
}

TEST(Partition, IsKeptUntilSomethingChanges) {
  const TempFolder folder;
  const auto experiment = copy_of_shared(folder);
  const auto made = run_program({"partition", experiment});
  ASSERT_EQ(made.code, 0) << made.err;
  const auto time = [&] { return fs::last_write_time(folder / "out/partition/sub-01.h5"); };
  const auto before = time();
  const auto kept = run_program({"partition", experiment});
  EXPECT_EQ(kept.code, 0) << kept.err;
  EXPECT_EQ(kept.out, made.out) << "the table is shown all the same";
  EXPECT_EQ(time(), before);
  EXPECT_EQ(run_program({"partition", experiment, "--set", "ridge.alphas=[10, 1]"}).code, 0);
  EXPECT_NE(time(), before);
}

TEST(Partition, WithoutTruthInTheTestRunsTheStackRunsAreHeldOut) {
  const TempFolder folder;
  const auto experiment = copy_of_shared(folder);
  const std::string split = "split.test=\"friends:7\"";
  ASSERT_EQ(run_program({"pca", experiment, "--set", split}).code, 0);
  const auto result = run_program({"partition", experiment, "--set", split});
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_NE(result.out.find("of stack runs"), std::string::npos) << result.out;
}

TEST(Partition, SaysWhatIsWrong) {
  const TempFolder folder;
  const auto experiment = copy_of_shared(folder);
  expect_input_error(run_program({"partition", experiment, "--set", "split.base=\"friends:1\""}, 2),
                     {"cinecortex pca"});
  const auto one = write_experiment(folder.path(), [](std::string& text) {
    const auto begin = text.find("[[space]]\nname = \"audio\"");
    text.erase(begin, text.find("[ridge]") - begin);
  });
  expect_input_error(run_program({"partition", one.string()}, 2), {"one feature space", "at least two"});
  expect_input_error(run_program({"partition"}), {"experiment file"});

  expect_input_error(run_program({"partition", one.string(), "--dry-run"}, 2),
                     {"one feature space", "at least two"});
  const auto whole = write_experiment(folder.path()).string();
  expect_input_error(run_program({"partition", whole, "--dry-run", "--set", "split.base=friends:s01e01a"}, 2),
                     {"sub-01", "1 base run", "split.base"});
  const auto plan = run_program({"partition", whole, "--dry-run"});
  EXPECT_EQ(plan.code, 0) << plan.err;
  EXPECT_NE(plan.out.find("outputs: "), std::string::npos) << plan.out;
}

}  // namespace
}  // namespace cinecortex::testing
