// What `validate` says of the time that an extraction takes.
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cinecortex/io/hdf5.hpp"
#include "program.hpp"
#include "temp_folder.hpp"

namespace cinecortex::testing {
namespace {

namespace fs = std::filesystem;

class ExtractionTime : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(folder_ / "out");
    fs::copy(shared_output() / "features", folder_ / "out/features", fs::copy_options::recursive);
  }
  Result validate(const Arguments& more = {}, int ranks = 0) const {
    Arguments arguments{"validate", experiment_.string(), "--threads", "1"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    auto result = run_program(arguments, ranks);
    EXPECT_EQ(result.code, 0) << result.err;
    return result;
  }
  double seconds(int ranks = 0) const {
    return nlohmann::json::parse(validate({"--json"}, ranks).out)
        .at("details")
        .at("seconds")
        .at("extract")
        .get<double>();
  }
  /// Of the space's files that are there.
  double median_pace(const std::string& space) const {
    std::vector<double> paces[2];
    for (const auto& file : hdf5_files(folder_ / "out/features" / space)) {
      const io::Hdf5Reader reader(folder_ / "out/features" / space / file);
      if (reader.info("/features").shape.at(0) == 0) continue;
      paces[0].push_back(std::get<double>(reader.attribute("/", "computing_s_a_tr").value()));
      paces[1].push_back(std::get<double>(reader.attribute("/", "reading_s_a_tr").value()));
    }
    for (auto& some : paces) std::sort(some.begin(), some.end());
    return paces[0].at(paces[0].size() / 2) + paces[1].at(paces[1].size() / 2);
  }

  TempFolder folder_;
  fs::path experiment_ = write_experiment(folder_.path());
};

TEST_F(ExtractionTime, IsThatOfTheMissingTrsAtThePaceOfTheOthers) {
  double expected = 0;
  for (const auto* run : {"s01e01a", "chaplin1"}) {
    const auto file = folder_ / "out/features/motion" / (std::string(run) + ".h5");
    expected += static_cast<double>(io::Hdf5Reader(file).info("/features").shape.at(0));
    fs::remove(file);
  }
  expected *= median_pace("motion");
  EXPECT_GT(expected, 0);
  EXPECT_NEAR(seconds(), expected, 1e-9 * expected);
  EXPECT_NEAR(seconds(2), expected / 2, 1e-9 * expected);
  EXPECT_NEAR(seconds(4), expected / 2, 1e-9 * expected) << "two chunks";
  const auto text = validate().out;
  EXPECT_NE(text.find("times: extract "), std::string::npos) << text;
  EXPECT_EQ(text.find("extract of"), std::string::npos) << text;
}

TEST_F(ExtractionTime, OfSpacesWithoutAnyFileIsNotGuessed) {
  for (const auto* space : {"audio", "words"}) fs::remove_all(folder_ / "out/features" / space);
  const auto text = validate().out;
  EXPECT_NE(text.find("times: pca "), std::string::npos) << text;
  EXPECT_NE(text.find("extract of audio, words, whose progress says"), std::string::npos) << text;
}

TEST_F(ExtractionTime, IsNoneWhereNothingIsMissing) {
  const auto text = validate().out;
  EXPECT_NE(text.find("times: pca "), std::string::npos) << text;
  EXPECT_NE(text.find("Not in it: score's permutations."), std::string::npos) << text;
}

}  // namespace
}  // namespace cinecortex::testing
