// Sums over the rows that are kept in files: other criteria and sweeps begin with them, on any number of ranks.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string_view>
#include <tuple>

#include "cinecortex/io/hdf5.hpp"
#include "program.hpp"
#include "temp_folder.hpp"

namespace cinecortex::testing {
namespace {

namespace fs = std::filesystem;

const std::string table = R"(
[sweep]
components = [2, 4]
delays = [[1], [2, 3], [1, 2, 3, 4]]
spaces = ["audio"]
)";

/// Two folders with the shared features and components: in one statistics are kept, in the other there are none.
class Statistics : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const auto& folder : {kept_, fresh_}) {
      fs::create_directories(folder / "out");
      for (const char* stage : {"features", "pca"}) {
        fs::copy(shared_output() / stage, folder / "out" / stage,
                 fs::copy_options::recursive | fs::copy_options::create_hard_links);
      }
      write_experiment(folder, [](std::string& text) { text += table; });
    }
  }
  static Result run(const std::string& verb, const fs::path& folder, const Arguments& more, int ranks) {
    Arguments arguments{verb, (folder / "experiment.toml").string(), "--threads", "1", "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_program(arguments, ranks);
  }
  /// Files of statistics that were read and written.
  using Use = std::pair<int, int>;
  Use use(const std::string& verb, const Arguments& more = {}, int ranks = 0) {
    const auto result = run(verb, kept_, more, ranks);
    EXPECT_EQ(result.code, 0) << result.err;
    if (result.code != 0) return {-1, -1};
    const auto statistics = nlohmann::json::parse(result.out).at("details").at("statistics");
    return {statistics.at("read").get<int>(), statistics.at("written").get<int>()};
  }
  void without_files(const std::string& verb, Arguments more = {}, int ranks = 0) {
    more.insert(more.end(), {"--set", "output.statistics=none"});
    const auto result = run(verb, fresh_, more, ranks);
    ASSERT_EQ(result.code, 0) << result.err;
    EXPECT_FALSE(fs::exists(fresh_ / "out/statistics"));
  }
  void expect_same_models(double tolerance) const {
    for (const auto& file : hdf5_files(fresh_ / "out/ridge")) {
      EXPECT_LT(largest_difference(kept_ / "out/ridge" / file, fresh_ / "out/ridge" / file), tolerance)
          << file;
    }
  }
  static Arguments criterion(const std::string& name) { return {"--set", "ridge.criterion=" + name}; }

  TempFolder folder_;
  fs::path kept_ = folder_ / "kept", fresh_ = folder_ / "fresh";
};

constexpr int models = 3 * 4;  // spaces × subjects

/// Held-out rows of float32 data are multiplied in float32: sums that differ in their last digits show there.
constexpr double left_out_in_single = 2e-6;

TEST_F(Statistics, ServeEveryCriterionAndAnyNumberOfRanks) {
  EXPECT_EQ(use("ridge", {}, 2), Use(0, models));
  int ranks = 1;
  for (const char* name : {"gcv", "leave-one-season-out", "leave-one-run-out", "loo"}) {
    SCOPED_TRACE(name);
    EXPECT_EQ(use("ridge", criterion(name), ranks), Use(models, 0));
    without_files("ridge", criterion(name), ranks);
    expect_same_models(std::string_view(name).starts_with("leave-one") ? left_out_in_single : 1e-10);
    ++ranks;
  }
}

TEST_F(Statistics, OnesOwnCountOfFoldsIsKeptToo) {
  EXPECT_EQ(use("ridge", criterion("kfold:3")), Use(0, models));
  EXPECT_EQ(use("ridge", criterion("kfold:3"), 3), Use(0, 0)) << "the models are there";
  EXPECT_EQ(use("ridge", {"--set", "ridge.criterion=kfold:3", "--set", "ridge.measure=r"}, 3),
            Use(models, 0));
  without_files("ridge", {"--set", "ridge.criterion=kfold:3", "--set", "ridge.measure=r"});
  expect_same_models(left_out_in_single);
}

TEST_F(Statistics, OfASweepServeRidgeAndTheOtherWayRound) {
  EXPECT_EQ(use("sweep"), Use(0, 4));
  EXPECT_EQ(use("ridge", {"--set", "space.audio.edge=drop"}), Use(0, models))
      << "the sweep has 4 components only";
  fs::remove_all(kept_ / "out/sweep");
  EXPECT_EQ(use("sweep", {"--set", "space.audio.edge=drop"}, 3), Use(4, 0));
  // float32 products of more components and delays round differently.
  without_files("sweep", {"--set", "space.audio.edge=drop"});
  for (const char* name : {"r", "alpha"}) {
    const auto values = [&](const fs::path& folder) {
      return io::Hdf5Reader(folder / "out/sweep/sweep.h5").read<double>(std::string("/audio/sub-02/") + name);
    };
    const MatrixD fresh = values(fresh_);
    EXPECT_LT((values(kept_) - fresh).cwiseAbs().maxCoeff(), 1e-5 * fresh.cwiseAbs().maxCoeff()) << name;
  }
  EXPECT_EQ(use("ridge", {"--set", "space.audio.delays=[2, 4]"}), Use(4, 0)) << "any subset of the delays";
  without_files("ridge", {"--set", "space.audio.delays=[2, 4]"});
  expect_same_models(1e-4);
}

TEST_F(Statistics, OfOtherInputsAreMadeAnew) {
  EXPECT_EQ(use("ridge"), Use(0, models));
  EXPECT_EQ(use("ridge", {"--set", "data.trim_tr=[6, 5]"}), Use(0, models));
  EXPECT_EQ(use("ridge", {"--set", "data.trim_tr=[6, 5]", "--force"}), Use(0, models));
  EXPECT_EQ(use("ridge",
                {"--set", "data.trim_tr=[6, 5]", "--set", "data.subjects=[1]", "--set", "ridge.alphas=[1]"}),
            Use(3, 0));
}

TEST_F(Statistics, AreAnnounced) {
  const auto plan = run_program({"validate", (kept_ / "experiment.toml").string()});
  ASSERT_EQ(plan.code, 0) << plan.err;
  EXPECT_NE(plan.out.find("statistics: kept for 3 of 3 spaces"), std::string::npos) << plan.out;
  const auto none =
      run_program({"validate", (kept_ / "experiment.toml").string(), "--set", "output.statistics=none"});
  EXPECT_NE(none.out.find("statistics: kept for 0 of 3 spaces"), std::string::npos) << none.out;
}

TEST_F(Statistics, ValidateAnnouncesTheMemoryThatRidgeTakes) {
  const auto bytes = [&](const std::string& verb, const std::string& name, const char* policy, int ranks) {
    auto more = criterion(name);
    more.insert(more.end(), {"--set", std::string("output.statistics=") + policy});
    const auto result = run(verb, kept_, more, ranks);
    EXPECT_EQ(result.code, 0) << result.err;
    return result.code == 0 ? nlohmann::json::parse(result.out).at("details").at("fit_bytes").get<double>()
                            : -1;
  };
  for (const auto& [name, policy, ranks] :
       {std::tuple{"kfold:5", "none", 1}, {"leave-one-season-out", "none", 2}, {"loo", "auto", 3}}) {
    const double announced = bytes("validate", name, policy, ranks);
    EXPECT_GT(announced, 0) << name;
    EXPECT_EQ(announced, bytes("ridge", name, policy, ranks)) << name;
  }
  EXPECT_GT(bytes("validate", "kfold:5", "none", 1), bytes("validate", "gcv", "none", 1));
}

TEST_F(Statistics, PartsOfASweepReadButDoNotWrite) {
  EXPECT_EQ(use("sweep", {"--part", "1/2"}), Use(0, 0));
  EXPECT_EQ(use("sweep"), Use(0, 4));
  EXPECT_EQ(use("sweep", {"--part", "2/3"}), Use(1, 0));
}

TEST_F(Statistics, DamagedFilesAreNamed) {
  EXPECT_EQ(use("ridge"), Use(0, models));
  const auto file = kept_ / "out/statistics/audio/sub-02.h5";
  fs::resize_file(file, fs::file_size(file) / 2);
  for (const int ranks : {0, 2}) {
    expect_input_error(run("ridge", kept_, criterion("gcv"), ranks), {file.string(), "--force"});
  }
  fs::remove(file);
  EXPECT_EQ(use("ridge", criterion("gcv"), 2).second, 1) << "only what is missing is read again";
}

}  // namespace
}  // namespace cinecortex::testing
