// What the verbs on matrices warn of, once, and only where it applies.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "cinecortex/io/npy.hpp"
#include "program.hpp"
#include "temp_folder.hpp"

namespace cinecortex::testing {
namespace {

class MatrixWarnings : public ::testing::Test {
 protected:
  void SetUp() override {
    std::srand(3);
    y_ = MatrixD::Random(40, 3);
    write("y", y_);
  }
  std::string path(const std::string& name) { return (folder_ / (name + ".npy")).string(); }
  void write(const std::string& name, const MatrixD& values) { io::write_npy(path(name), values); }
  std::string output(const std::string& name) { return (folder_ / (name + ".h5")).string(); }
  /// The lines of warnings, with one rank and with two, which must say the same.
  std::string warnings(const Arguments& arguments) {
    std::string text[2];
    for (const int several : {0, 1}) {
      auto all = arguments;
      all.insert(all.end(), {"--log-level", "warning", "--force"});
      const auto result = run_program(all, 2 * several);
      EXPECT_EQ(result.code, 0) << result.err;
      text[several] = result.err;
    }
    EXPECT_EQ(text[0].empty(), text[1].empty()) << text[0] << text[1];
    return text[0];
  }
  TempFolder folder_;
  MatrixD y_;
};

std::ptrdiff_t lines(const std::string& text) {
  return std::count(text.begin(), text.end(), '\n');
}

void expect_warning(const std::string& text, const std::vector<std::string>& words) {
  EXPECT_EQ(lines(text), 1) << text;
  for (const auto& word : words) EXPECT_NE(text.find(word), std::string::npos) << word << " in: " << text;
}

TEST_F(MatrixWarnings, FewPermutations) {
  write("p", MatrixD::Random(40, 3));
  const Arguments score{"score", "--y", path("y"), "--prediction", path("p"), "--block-tr"};
  const auto in_blocks_of = [&](const char* block_tr, const Arguments& more = {}) {
    auto arguments = score;
    arguments.push_back(block_tr);
    arguments.insert(arguments.end(), more.begin(), more.end());
    return warnings(arguments);
  };
  EXPECT_EQ(in_blocks_of("4"), "");
  expect_warning(in_blocks_of("20"),
                 {"rows of", "blocks of 20 TRs", "2 ways", "p is at least 0.5", "--block-tr"});
  EXPECT_EQ(in_blocks_of("20", {"--permutations", "0"}), "");
  MatrixD labels = MatrixD::Zero(40, 1);
  labels.bottomRows(20).setOnes();
  write("g", labels);
  expect_warning(in_blocks_of("4", {"--groups", path("g")}),
                 {"rows of 0 (and 1 like them): 20 rows", "120 ways"});
}

TEST_F(MatrixWarnings, OneModelTakesTheWholeStack) {
  write("half", y_ / 2);
  write("noise", 0.01 * MatrixD::Random(40, 3));
  for (const std::string method : {"simplex", "best", "ols", "ridge", "nnls", "mean"}) {
    const auto text = warnings({"stack", "--y", path("y"), "--prediction", path("half"), "--prediction",
                                path("noise"), "--method", method, "--output", output("stack")});
    if (method == "simplex" || method == "best") {
      expect_warning(text, {"half takes 100% of the stack's weight"});
    } else {
      EXPECT_EQ(text, "") << method << " has no shares, or equal ones";
    }
  }
}

TEST_F(MatrixWarnings, SweepOfMoreThanTheMemoryThereIs) {
  write("x", MatrixD::Random(40, 6));
  const Arguments sweep{"sweep",         "--x",   path("x"), "--y",   path("y"),          "--output",
                        output("sweep"), "--set", "folds=2", "--set", "components=[3, 6]"};
  EXPECT_EQ(warnings(sweep), "");
  auto short_of_memory = sweep;
  short_of_memory.insert(short_of_memory.end(), {"--memory", "2KiB"});
  expect_warning(warnings(short_of_memory), {path("x"), "a rank, more than", "fewer folds"});
}

TEST_F(MatrixWarnings, FeaturesWithoutVariance) {
  write("x", MatrixD::Random(40, 6));
  write("constant", MatrixD::Constant(40, 6, 0.1));
  write("each", VectorD::LinSpaced(40, 0, 39));
  const auto pca = [&](const char* x, const Arguments& more) {
    Arguments arguments{"pca", "--x", path(x), "--output", output("pca")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return warnings(arguments);
  };
  EXPECT_EQ(pca("x", {"--components", "3"}), "");
  for (const char* solver : {"covariance", "dual", "randomized"}) {
    expect_warning(pca("constant", {"--components", "3", "--solver", solver}),
                   {"no column varies over the fit rows"});
  }
  expect_warning(pca("x", {"--components", "3", "--groups", path("each"), "--scale", "groups"}),
                 {"no column varies within a run"});
}

}  // namespace
}  // namespace cinecortex::testing
