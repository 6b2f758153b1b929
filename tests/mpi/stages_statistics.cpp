// Files of statistics: what was written comes back to the bit, whoever wrote it and however many read it.
#include <gtest/gtest.h>

#include <filesystem>
#include <random>

#include "../../src/stages/statistics_file.hpp"
#include "cinecortex/core/error.hpp"
#include "cinecortex/encoding/joined_source.hpp"
#include "cinecortex/parallel/agree.hpp"

namespace cinecortex::stages {
namespace {

namespace fs = std::filesystem;
using encoding::LaggedStatistics;
using encoding::LaggedSums;

MatrixD random_rows(Index rows, Index columns, std::uint64_t seed) {
  std::mt19937_64 engine(seed);
  std::normal_distribution<double> normal(1.0, 2.0);
  MatrixD values(rows, columns);
  for (Index i = 0; i < values.size(); ++i) values.data()[i] = normal(engine);
  return values;
}

/// Runs of any length, one too short for the delays, one without rows.
class Runs final : public encoding::LaggedSource {
 public:
  const encoding::Design& design() const override { return design_; }
  Index components() const override { return 5; }
  Index blocks() const override { return 5; }
  Index feature_rows(Index block) const override { return std::vector<Index>{30, 25, 4, 12, 40}[at(block)]; }
  Range times(Index block) const override {
    return std::vector<Range>{{2, 28}, {2, 27}, {1, 3}, {5, 5}, {0, 40}}[at(block)];
  }
  Index lowest() const override { return 2; }
  MatrixD features(Index block) const override { return random_rows(feature_rows(block), 5, 10 + at(block)); }
  std::string name(Index block) const override { return "run " + std::to_string(block); }

 private:
  static std::size_t at(Index block) { return static_cast<std::size_t>(block); }
  encoding::Design design_ = encoding::Design::fir({-1, 2, 3, 6}, encoding::Edge::zero);
};

class Responses final : public encoding::BlockSource {
 public:
  Responses(const Runs& runs, Index targets, std::uint64_t seed)
      : runs_(runs), targets_(targets), seed_(seed) {}
  Index blocks() const override { return runs_.blocks(); }
  Index rows(Index block) const override { return runs_.rows(block); }
  Index columns() const override { return targets_; }
  MatrixD read(Index block, Range columns) const override {
    return random_rows(rows(block), targets_, seed_ + static_cast<std::uint64_t>(block))
        .middleCols(columns.begin, columns.size());
  }
  using BlockSource::read;
  std::string name(Index block) const override { return runs_.name(block); }

 private:
  const Runs& runs_;
  Index targets_;
  std::uint64_t seed_;
};

const StatisticsContent content{.delays = {-1, 2, 3, 6},
                                .components = 5,
                                .single = false,
                                .runs = {"a", "b", "c", "d (run-2)", "e"},
                                .group_of = {0, 1, 0, 1, 1}};

void expect_equal(const LaggedSums& got, const LaggedSums& expected) {
  EXPECT_EQ(got.delays, expected.delays);
  EXPECT_EQ(got.components, expected.components);
  EXPECT_EQ(got.shift_x, expected.shift_x);
  EXPECT_EQ(got.shift_y, expected.shift_y);
  EXPECT_EQ(got.auto_products, expected.auto_products);
  EXPECT_EQ(got.cross_products, expected.cross_products);
  EXPECT_EQ(got.sums_x, expected.sums_x);
  EXPECT_EQ(got.sum_y, expected.sum_y);
  EXPECT_EQ(got.squares_y, expected.squares_y);
  EXPECT_EQ(got.interior_rows, expected.interior_rows);
  ASSERT_EQ(got.edges.size(), expected.edges.size());
  for (std::size_t i = 0; i < got.edges.size(); ++i) {
    const auto &a = got.edges[i], &b = expected.edges[i];
    EXPECT_EQ(a.block, b.block);
    EXPECT_EQ(a.feature_rows, b.feature_rows);
    EXPECT_EQ(a.lowest, b.lowest);
    EXPECT_EQ(a.times, b.times);
    EXPECT_EQ(a.interior, b.interior);
    EXPECT_EQ(a.tail_begin, b.tail_begin);
    EXPECT_EQ(a.head_x, b.head_x);
    EXPECT_EQ(a.tail_x, b.tail_x);
    EXPECT_EQ(a.head_y, b.head_y);
    EXPECT_EQ(a.tail_y, b.tail_y);
  }
}

class StatisticsFiles : public ::testing::Test {
 protected:
  StatisticsFiles() : comm_(parallel::Communicator::world()) {}
  void SetUp() override {
    folder_ = std::string("statistics_") + ::testing::UnitTest::GetInstance()->current_test_info()->name();
    if (comm_.root()) fs::remove_all(folder_);
    comm_.barrier();
  }
  static Range mine(Range targets, const parallel::Communicator& comm) {
    const Range part = partition(targets.size(), comm.size(), comm.rank());
    return {targets.begin + part.begin, targets.begin + part.end};
  }
  /// Two subjects' sums side by side into a file each, some targets at a time.
  /// @return the last ones
  std::vector<LaggedStatistics> write(const parallel::Communicator& comm, const std::vector<Range>& blocks) {
    StatisticsFile one(folder_ / "one.h5", content, 7, {}, comm),
        two(folder_ / "two.h5", content, 4, {}, comm);
    std::vector<LaggedStatistics> groups;
    for (const Range targets : blocks) {
      const encoding::ColumnsOf some(both_, targets);
      groups = LaggedStatistics::accumulate(runs_, some, content.group_of, 2, comm,
                                            {.gram = targets.begin == 0, .single = false});
      one.add(groups, mine(targets, comm), {0, 7});
      two.add(groups, mine(targets, comm), {7, 11});
    }
    one.commit();
    two.commit();
    return groups;
  }
  /// Both files' sums of some targets, side by side.
  LaggedSums read(Index group, Range targets) const {
    const StatisticsReader one(folder_ / "one.h5"), two(folder_ / "two.h5");
    EXPECT_EQ(one.content(), content);
    EXPECT_EQ(one.targets(), 7);
    EXPECT_EQ(two.targets(), 4);
    EXPECT_TRUE(two.read(group, {0, 4}, false).auto_products.empty());
    auto sums = one.read(group, {std::min<Index>(targets.begin, 7), std::min<Index>(targets.end, 7)}, true);
    sums.append_targets(
        two.read(group, {std::max<Index>(targets.begin, 7) - 7, std::max<Index>(targets.end, 7) - 7}, false));
    return sums;
  }
  /// Every rank for itself, whatever it wants.
  void expect_back(Range targets) {
    const auto alone = comm_.split(comm_.rank(), 0);
    const auto expected = LaggedStatistics::accumulate(runs_, encoding::ColumnsOf(both_, targets),
                                                       content.group_of, 2, alone, {.single = false});
    for (Index group = 0; group < 2; ++group) {
      expect_close(read(group, targets), expected[static_cast<std::size_t>(group)].sums());
    }
  }
  /// Sums of other ranks or other targets may differ in the last bits; everything else may not.
  static void expect_close(const LaggedSums& got, const LaggedSums& expected) {
    LaggedSums rounded = got;
    const auto settle = [](auto& values, const auto& wanted) {
      ASSERT_EQ(values.rows(), wanted.rows());
      ASSERT_EQ(values.cols(), wanted.cols());
      const double scale = wanted.size() == 0 ? 1.0 : std::max(1.0, wanted.cwiseAbs().maxCoeff());
      if (values.size() > 0) {
        EXPECT_LT((values - wanted).cwiseAbs().maxCoeff(), 1e-13 * scale);
      }
      values = wanted;
    };
    ASSERT_EQ(rounded.auto_products.size(), expected.auto_products.size());
    ASSERT_EQ(rounded.cross_products.size(), expected.cross_products.size());
    for (std::size_t i = 0; i < rounded.auto_products.size(); ++i)
      settle(rounded.auto_products[i], expected.auto_products[i]);
    for (std::size_t i = 0; i < rounded.cross_products.size(); ++i)
      settle(rounded.cross_products[i], expected.cross_products[i]);
    settle(rounded.sums_x, expected.sums_x);
    settle(rounded.sum_y, expected.sum_y);
    settle(rounded.squares_y, expected.squares_y);
    expect_equal(rounded, expected);
  }

  parallel::Communicator comm_;
  fs::path folder_;
  Runs runs_;
  Responses one_{runs_, 7, 100}, two_{runs_, 4, 200};
  encoding::JoinedSource both_{{&one_, &two_}};
};

TEST_F(StatisticsFiles, ComeBackWhateverTheTargets) {
  const auto written = write(comm_, {{0, 11}});
  for (std::size_t group = 0; group < 2; ++group) {
    expect_equal(read(static_cast<Index>(group), mine({0, 11}, comm_)), written[group].sums());
  }
  for (const Range targets : {Range{0, 11}, Range{3, 9}, Range{0, 5}, Range{8, 11}, Range{6, 6}})
    expect_back(targets);
}

TEST_F(StatisticsFiles, MayBeWrittenSomeTargetsAtATime) {
  write(comm_, {{0, 2}, {2, 9}, {9, 11}});
  expect_back({0, 11});
}

TEST_F(StatisticsFiles, OfOneRankAreReadByAll) {
  const auto alone = comm_.split(comm_.root() ? 0 : 1, comm_.rank());
  parallel::agree(comm_, [] {});
  if (comm_.root()) write(alone, {{0, 11}});
  comm_.barrier();
  expect_back({2, 10});
}

TEST_F(StatisticsFiles, SaySoIfTheyAreSomethingElse) {
  if (comm_.root()) fs::create_directories(folder_);
  comm_.barrier();
  { io::Hdf5Writer(folder_ / "other.h5", comm_, {{"kind", std::string("ridge")}}).commit(); }
  EXPECT_THROW(StatisticsReader(folder_ / "other.h5"), InputError);
  EXPECT_THROW(StatisticsReader(folder_ / "none.h5"), InputError);
}

TEST(StatisticsContents, HoldSubsetsOnly) {
  EXPECT_TRUE(content.holds({-1, 6}, 5));
  EXPECT_TRUE(content.holds({2}, 1));
  EXPECT_FALSE(content.holds({2, 4}, 5));
  EXPECT_FALSE(content.holds({2}, 6));
  EXPECT_EQ(content.groups(), 2);
}

}  // namespace
}  // namespace cinecortex::stages
