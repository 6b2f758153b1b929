// The verb sweep: the same on any number of ranks, in one go and in parts, on experiments and on matrices.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "cinecortex/io/hdf5.hpp"
#include "cinecortex/io/npy.hpp"
#include "program.hpp"
#include "temp_folder.hpp"

namespace cinecortex::testing {
namespace {

namespace fs = std::filesystem;

const std::string table = R"(
[sweep]
components = [2, 4]
delay = [1, 3]
window = [1, 2]
spaces = ["audio", "words"]
)";

std::vector<std::string> cells(const std::string& line) {
  std::istringstream text(line);
  std::vector<std::string> all;
  for (std::string cell; std::getline(text, cell, ',');) all.push_back(cell);
  return all;
}

/// The same texts and whole numbers, and other numbers to 1e-6: sums of float32 data depend on ranks in their last digits.
void expect_same_table(const std::vector<std::string>& lines, const std::vector<std::string>& expected) {
  ASSERT_EQ(lines.size(), expected.size());
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const auto got = cells(lines[i]), wanted = cells(expected[i]);
    ASSERT_EQ(got.size(), wanted.size());
    for (std::size_t j = 0; j < got.size(); ++j) {
      if (i > 0 && wanted[j].find('.') != std::string::npos) {
        EXPECT_NEAR(std::stod(got[j]), std::stod(wanted[j]), 1e-6) << expected[i];
      } else {
        EXPECT_EQ(got[j], wanted[j]) << expected[i];
      }
    }
  }
}

/// The shared experiment with a table [sweep] and with the shared features and components.
class Sweep : public ::testing::Test {
 protected:
  void SetUp() override {
    experiment_ = write_experiment(folder_.path(), [](std::string& text) { text += table; });
    fs::create_directories(folder_ / "out");
    for (const char* stage : {"features", "pca"}) {
      fs::copy(shared_output() / stage, folder_ / "out" / stage,
               fs::copy_options::recursive | fs::copy_options::create_hard_links);
    }
  }
  Result sweep(const Arguments& more = {}, int ranks = 0) {
    Arguments arguments{"sweep", experiment_.string(), "--threads", "1"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_program(arguments, ranks);
  }
  static std::string content(const fs::path& file) {
    std::ostringstream text;
    text << std::ifstream(file).rdbuf();
    return text.str();
  }
  /// sweep.csv without the last column, seconds.
  std::vector<std::string> rows() const {
    std::istringstream text(content(folder_ / "out/sweep/sweep.csv"));
    std::vector<std::string> lines;
    for (std::string line; std::getline(text, line);) lines.push_back(line.substr(0, line.rfind(',')));
    return lines;
  }
  MatrixD per_target(const char* name) const {
    return io::Hdf5Reader(folder_ / "out/sweep/sweep.h5").read<double>(std::string("/audio/sub-02/") + name);
  }
  TempFolder folder_;
  fs::path experiment_;
};

TEST_F(Sweep, IsTheSameOnAnyNumberOfRanks) {
  ASSERT_EQ(sweep().code, 0);
  const auto alone = rows();
  ASSERT_EQ(alone.size(), 1u + 2 * 4 * 8) << "a heading, and spaces × subjects × configurations";
  const MatrixD r = per_target("r"), alpha = per_target("alpha");
  EXPECT_EQ(r.rows(), 8);
  EXPECT_EQ(r.cols(), 30);
  EXPECT_GT(r.cwiseAbs().maxCoeff(), 0.1);
  for (const int ranks : {2, 3}) {
    ASSERT_EQ(sweep({"--force"}, ranks).code, 0);
    expect_same_table(rows(), alone);
    EXPECT_LT((per_target("r") - r).cwiseAbs().maxCoeff(), 1e-6);
    EXPECT_EQ(per_target("alpha"), alpha);
  }
}

TEST_F(Sweep, PartsPutTogetherEqualTheWhole) {
  const Arguments audio{"--set", "sweep.spaces=[\"audio\"]"};
  const auto sweep_audio = [&](Arguments more, int ranks = 0) {
    more.insert(more.end(), audio.begin(), audio.end());
    return sweep(more, ranks);
  };
  ASSERT_EQ(sweep_audio({}).code, 0);
  const auto whole = rows();
  const MatrixD r = per_target("r");
  for (const int parts : {2, 5}) {  // fewer than spaces × subjects, and more
    for (int part = 1; part <= parts; ++part) {
      ASSERT_EQ(sweep_audio({"--part", std::to_string(part) + "/" + std::to_string(parts)}).code, 0);
    }
    fs::remove(folder_ / "out/sweep/sweep.h5");
    const auto merged = sweep_audio({"--merge", std::to_string(parts)}, 2);
    ASSERT_EQ(merged.code, 0) << merged.err;
    EXPECT_EQ(rows(), whole);
    EXPECT_EQ((per_target("r") - r).cwiseAbs().maxCoeff(), 0.0) << "on one rank each, to the bit";
  }
}

TEST_F(Sweep, MergingNamesTheMissingParts) {
  ASSERT_EQ(sweep({"--part", "2/3"}).code, 0);
  expect_input_error(sweep({"--merge", "3"}), {"1/3, 3/3", "--part"});
  expect_input_error(sweep({"--merge", "3", "--set", "ridge.alphas=[1, 10]"}, 2),
                     {"1/3, 3/3", "other inputs or settings: 2/3"});
}

TEST_F(Sweep, KeepsWhatIsFinished) {
  ASSERT_EQ(sweep().code, 0);
  const auto part = folder_ / "out/sweep/parts/part-1-of-8.h5";
  const auto time = fs::last_write_time(part);
  fs::remove(folder_ / "out/sweep/parts/part-3-of-8.h5");
  ASSERT_EQ(sweep().code, 0);
  EXPECT_EQ(fs::last_write_time(part), time);
  EXPECT_TRUE(fs::exists(folder_ / "out/sweep/parts/part-3-of-8.h5"));
  ASSERT_EQ(sweep({"--set", "sweep.folds=2"}).code, 0);
  EXPECT_NE(fs::last_write_time(part), time);
}

TEST_F(Sweep, TheBestIsAnExperimentThatRuns) {
  const auto result = sweep();
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_NE(result.out.find("best.toml"), std::string::npos) << result.out;
  EXPECT_NE(content(folder_ / "out/sweep/sweep.svg").find("polyline"), std::string::npos);
  const auto best = (folder_ / "out/sweep/best.toml").string();
  EXPECT_EQ(content(best).find("[sweep]"), std::string::npos);
  const auto components = fs::last_write_time(folder_ / "out/pca/audio.h5");
  const auto run = run_program({"run", best, "--threads", "1"});
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_TRUE(fs::exists(folder_ / "out-best/scores/scores.csv"));
  EXPECT_FALSE(fs::exists(folder_ / "out-best/features")) << "those of the experiment serve";
  EXPECT_EQ(fs::last_write_time(folder_ / "out/pca/audio.h5"), components) << "the sweep can go on";
}

/// A configuration of the sweep is a ridge fit like any other.
TEST_F(Sweep, ARowEqualsASeparateFit) {
  const auto fit =
      run_program({"ridge", experiment_.string(), "--threads", "1", "--set", "ridge.criterion=kfold:5"});
  ASSERT_EQ(fit.code, 0) << fit.err;
  // The space's own configuration, as the only one.
  ASSERT_EQ(sweep({"--set", "sweep={folds=5}"}).code, 0);
  const VectorD alpha = io::Hdf5Reader(folder_ / "out/ridge/audio/sub-02.h5").read_vector("/alpha");
  EXPECT_EQ(per_target("alpha").row(0).transpose(), alpha);
}

TEST_F(Sweep, RefusesWhatItCannotTry) {
  expect_input_error(sweep({"--set", "sweep.components=[2, 400]"}, 2), {"audio", "400", "10", "pca"});
  for (const char* verb : {"sweep", "validate"}) {
    const auto result =
        run_program({verb, experiment_.string(), "--set", "sweep.delay=[3, 5000]", "--dry-run"}, 2);
    expect_input_error(result, {"[sweep] on space audio", "5000", "longest", "TRs"});
  }
  expect_input_error(sweep({"--set", "sweep.folds=40"}), {"folds = 40", "runs"});
  expect_input_error(sweep({"--part", "4/3"}), {"4/3", "I/N"});
  expect_input_error(sweep({"--part", "1/3", "--merge", "3"}), {"--part", "--merge"});
  const auto plain = write_experiment(folder_.path());
  expect_input_error(run_program({"sweep", plain.string()}), {"[sweep]"});
  expect_input_error(run_program({"sweep", plain.string(), "--dry-run"}, 2), {"[sweep]"});
}

TEST_F(Sweep, ValidateSaysWhatItTakes) {
  for (const auto& result : {run_program({"validate", experiment_.string()}), sweep({"--dry-run"})}) {
    EXPECT_EQ(result.code, 0) << result.err;
    EXPECT_NE(result.out.find("8 configurations × 4 subjects, 5 folds, up to 8 columns"), std::string::npos)
        << result.out;
    EXPECT_NE(result.out.find("\npca: "), std::string::npos) << result.out;
    EXPECT_NE(result.out.find("times: pca "), std::string::npos) << result.out;
    EXPECT_NE(result.out.find(", sweep "), std::string::npos) << result.out;
  }
}

TEST(SweepOnMatrices, TakesLeadingColumnsAndFindsThePlantedDelay) {
  const TempFolder folder;
  std::srand(5);
  const MatrixD x = MatrixD::Random(120, 6);
  MatrixD y = 0.3 * MatrixD::Random(120, 4);
  for (Index row = 2; row < 120; ++row) {
    if (row % 40 >= 2) y.row(row) += x.row(row - 2).head(3) * MatrixD::Ones(3, 4);
  }
  VectorD labels(120);
  for (Index row = 0; row < 120; ++row) labels[row] = static_cast<double>(row / 40);
  const auto path = [&](const char* name) { return (folder / (std::string(name) + ".npy")).string(); };
  io::write_npy(path("x"), x);
  io::write_npy(path("y"), y);
  io::write_npy(path("g"), MatrixD(labels));
  const auto output = (folder / "s.h5").string();
  const Arguments command{"sweep",
                          "--x",
                          path("x"),
                          "--y",
                          path("y"),
                          "--set",
                          "components=[1, 3, 6]",
                          "--set",
                          "delay=[0, 1, 2]",
                          "--set",
                          "folds=3",
                          "--alphas",
                          "10,1,0.1",
                          "--output",
                          output};
  auto with_groups = command;
  with_groups.insert(with_groups.end(), {"--groups", path("g")});
  for (const auto& arguments : {command, with_groups}) {
    fs::remove(output);
    const auto result = run_program(arguments, 2);
    ASSERT_EQ(result.code, 0) << result.err;
    const io::Hdf5Reader reader(output);
    const VectorD mean = reader.read_vector("/mean_r");
    ASSERT_EQ(mean.size(), 9);
    Index best = 0;
    mean.maxCoeff(&best);
    EXPECT_EQ(reader.read_vector("/delay")[best], 2);
    EXPECT_GE(reader.read_vector("/components")[best], 3);
    EXPECT_GT(mean[best], 0.85);
  }
  auto wrong = command;
  wrong.insert(wrong.end(), {"--set", "components=[7]"});
  expect_input_error(run_program(wrong), {"7", "6", "x.npy"});
}

}  // namespace
}  // namespace cinecortex::testing
