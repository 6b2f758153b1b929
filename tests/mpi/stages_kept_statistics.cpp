// Sums that one fit keeps and the next one finds: some targets at a time, in either precision, for any folds of whole
// groups.
#include <gtest/gtest.h>

#include <filesystem>
#include <random>

#include "../../src/stages/kept_statistics.hpp"

namespace cinecortex::stages {
namespace {

namespace fs = std::filesystem;
using encoding::Statistics;

MatrixD random_rows(Index rows, Index columns, std::uint64_t seed) {
  std::mt19937_64 engine(seed);
  std::normal_distribution<double> normal(1.0, 2.0);
  MatrixD values(rows, columns);
  for (Index i = 0; i < values.size(); ++i) values.data()[i] = normal(engine);
  return values;
}

/// Two subjects who saw two episodes of each of two seasons; components of one space.
class Kept : public ::testing::Test {
 protected:
  static constexpr Index components = 4, all_targets = 131;

  Kept() : comm_(parallel::Communicator::world()) {
    folder_ = std::string("kept_") + ::testing::UnitTest::GetInstance()->current_test_info()->name();
    if (comm_.root()) fs::remove_all(folder_);
    comm_.barrier();
    config_.experiment.data.trim_tr = {2, 3};
    config_.experiment.spaces.resize(1);
    config_.experiment.spaces.back().name = "a";
    config_.experiment.spaces.back().design = encoding::Design::shifted_window(1, 3, encoding::Edge::shift);
    context_.catalogue.subjects = {1, 2};
    context_.catalogue.targets = {{1, 70}, {2, 61}};
    write_data();
    scores_ = std::make_unique<ScoreReader>(folder_ / "pca.h5", features_, "a");
  }

  std::unique_ptr<KeptStatistics> open(StatisticsPolicy policy, bool force = false) {
    config_.experiment.statistics = policy;
    config_.runtime.force = force;
    std::vector<Presentation> shown;
    for (const auto& run : context_.catalogue.runs) shown.push_back({&run, 0, run.rows(1)});
    const auto& space = config_.experiment.spaces.front();
    auto runs = statistics_runs(shown, config_.experiment);
    KeptStatistics::Wanted wanted{.space = space,
                                  .design = space.design,
                                  .components = components,
                                  .subjects = {1, 2},
                                  .fit_runs = runs.names};
    return std::make_unique<KeptStatistics>(std::move(wanted), std::move(runs), *scores_, config_, context_,
                                            digests_, comm_);
  }

  static void expect_close(const std::vector<Statistics>& got, const std::vector<Statistics>& expected,
                           double tolerance) {
    ASSERT_EQ(got.size(), expected.size());
    for (std::size_t i = 0; i < got.size(); ++i) {
      EXPECT_EQ(got[i].rows, expected[i].rows);
      EXPECT_EQ(got[i].shift_x, expected[i].shift_x);
      EXPECT_EQ(got[i].shift_y, expected[i].shift_y);
      EXPECT_LE((got[i].gram - expected[i].gram).norm(), tolerance * expected[i].gram.norm());
      EXPECT_LE((got[i].cross - expected[i].cross).norm(), tolerance * expected[i].cross.norm());
      EXPECT_LE((got[i].sum_y - expected[i].sum_y).norm(), tolerance * expected[i].sum_y.norm());
      EXPECT_LE((got[i].squares_y - expected[i].squares_y).norm(), tolerance * expected[i].squares_y.norm());
    }
  }

  bool is_there(const std::string& name) const { return fs::exists(folder_ / "statistics" / "a" / name); }

  static constexpr encoding::LaggedStatistics::Wanted in_float32{.gram = true, .single = true},
      in_float64{.gram = true, .single = false};
  static constexpr Range all{0, all_targets};
  parallel::Communicator comm_;
  fs::path folder_;

 private:
  void write_data() {
    io::Hdf5Writer pca(folder_ / "pca.h5", comm_, {});
    io::Hdf5Writer fmri(folder_ / "fmri.h5", comm_, {});
    const io::DatasetOptions options{.attributes = {{"description", std::string("made up")}}};
    pca.put("/components", MatrixD(MatrixD::Identity(components, components)), options);
    Index rows = 40;
    for (const char* task : {"s01e01a", "s01e02a", "s02e01a", "s02e02a"}) {
      rows += 7;
      const auto seed = static_cast<std::uint64_t>(rows);
      pca.put(std::string("/scores/") + task, random_rows(rows, components, seed), options);
      dataset::Run run{.id = *dataset::parse_task(task, dataset::Collection::friends)};
      for (const auto& [subject, targets] : context_.catalogue.targets) {
        const std::string name = std::string(task) + "_" + std::to_string(subject);
        fmri.put("/" + name,
                 random_rows(rows + 1, targets, seed + 1000 * static_cast<std::uint64_t>(subject)), options);
        run.fmri[subject] = {{folder_ / "fmri.h5", name, rows + 1, targets}};
      }
      context_.catalogue.runs.push_back(std::move(run));
      context_.split.base.push_back(task);
      features_["a"][task] = {rows, components, std::string("digest of ") + task};
    }
    pca.commit();
    fmri.commit();
    context_.fmri_digests[(folder_ / "fmri.h5").string()] = "digest";
    context_.outputs = Outputs(folder_);
  }

  Config config_;
  Context context_{.catalogue = {}, .split = {}, .runs = {}, .fmri_digests = {}, .outputs = Outputs("")};
  FeatureTable features_;
  Digests digests_{config_, context_, features_};
  std::unique_ptr<ScoreReader> scores_;
};

TEST_F(Kept, AreFoundToTheBit) {
  const std::vector<Index> by_season{0, 0, 1, 1};
  const auto made = open(StatisticsPolicy::keep);
  const auto first = made->of_folds(by_season, 2, all, in_float32);
  EXPECT_EQ(made->subjects_written(), 2);
  EXPECT_EQ(made->subjects_read(), 0);
  const auto found = open(StatisticsPolicy::keep);
  expect_close(found->of_folds(by_season, 2, all, in_float32), first, 0);
  EXPECT_EQ(found->subjects_written(), 0);
  EXPECT_EQ(found->subjects_read(), 2);
  // The same sums without files, and all rows as one fold.
  const auto none = open(StatisticsPolicy::none);
  expect_close(none->of_folds(by_season, 2, all, in_float32), first, 1e-14);
  EXPECT_EQ(none->groups_held(), 0);
  expect_close(found->of_folds({0, 0, 0, 0}, 1, all, in_float32),
               none->of_folds({0, 0, 0, 0}, 1, all, in_float32), 1e-14);
}

TEST_F(Kept, AreMadeSomeTargetsAtATimeAndServeASecondRound) {
  const std::vector<Index> one(4, 0);
  const auto made = open(StatisticsPolicy::keep);
  constexpr Range blocks[] = {{0, 50}, {50, 90}, {90, all_targets}};
  for (const Range targets : blocks) {
    EXPECT_FALSE(is_there("sub-01.h5"));
    made->of_folds(one, 1, targets, {.gram = targets.begin == 0, .single = true});
  }
  EXPECT_TRUE(is_there("sub-01.h5") && is_there("sub-02.h5"));
  const auto none = open(StatisticsPolicy::none);
  const auto found = open(StatisticsPolicy::automatic);
  for (const Range targets : {Range{0, 50}, Range{30, 120}, all}) {
    expect_close(found->of_folds(one, 1, targets, in_float32), none->of_folds(one, 1, targets, in_float32),
                 1e-6);
  }
  EXPECT_EQ(made->of_folds(one, 1, blocks[1], {.gram = false, .single = true}).front().gram.size(), 0);
  EXPECT_EQ(found->subjects_read(), 2);
}

TEST_F(Kept, HaveAFileForEachPrecision) {
  const std::vector<Index> one(4, 0);
  const auto made = open(StatisticsPolicy::keep);
  const auto single = made->of_folds(one, 1, all, in_float32);
  EXPECT_FALSE(is_there("sub-02-float64.h5"));
  const auto exact = made->of_folds(one, 1, all, in_float64);
  EXPECT_TRUE(is_there("sub-02-float64.h5"));
  const auto found = open(StatisticsPolicy::keep);
  expect_close(found->of_folds(one, 1, all, in_float32), single, 0);
  expect_close(found->of_folds(one, 1, all, in_float64), exact, 0);
  EXPECT_EQ(found->subjects_read(), 2);
  EXPECT_GT((single[0].gram - exact[0].gram).norm(), 0.0);
}

TEST_F(Kept, DoNotServeFoldsThatCutAGroup) {
  const auto made = open(StatisticsPolicy::keep);
  EXPECT_TRUE(made->of_folds({0, 1, 1, 1}, 2, all, in_float32).empty());
  EXPECT_FALSE(is_there("sub-01.h5"));
}

TEST_F(Kept, AreMadeAnewByForce) {
  const std::vector<Index> one(4, 0);
  open(StatisticsPolicy::keep)->of_folds(one, 1, all, in_float32);
  const auto forced = open(StatisticsPolicy::keep, true);
  forced->of_folds(one, 1, all, in_float32);
  EXPECT_EQ(forced->subjects_read(), 0);
  EXPECT_EQ(forced->subjects_written(), 2);
}

}  // namespace
}  // namespace cinecortex::stages
