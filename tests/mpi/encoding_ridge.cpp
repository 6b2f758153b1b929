#include <string_view>

#include "cinecortex/core/error.hpp"
#include "ridge_refits.hpp"
#include "text_matrices.hpp"

namespace cinecortex::encoding {
namespace {

TEST(RidgeOptions, EdgesOfTheGridAreItsSmallestAndLargest) {
  const auto hits = edge_hits({10.0, 1e-3, 1e7}, {5, 2, 1});
  EXPECT_EQ(hits.low, 2);
  EXPECT_EQ(hits.high, 1);
  EXPECT_EQ(edge_hits({10.0}, {5}).low, 0);
}

TEST(RidgeSingle, DataOfSinglePrecisionGiveTheSameCurveAndChoice) {
  const auto comm = Communicator::world();
  const auto alphas = default_alphas();
  const Data data = leveraged_data(800, 50, 70, 23);
  const SingleSource x(data.x, data.block_rows), y(data.y, data.block_rows);
  const MatrixD rounded_x = data.x.cast<float>().cast<double>(),
                rounded_y = data.y.cast<float>().cast<double>();
  const auto single = fit_ridge(x, y, {.alphas = alphas}, comm);
  const auto plain = fit_ridge(MemorySource(rounded_x, data.block_rows),
                               MemorySource(rounded_y, data.block_rows), {.alphas = alphas}, comm);
  EXPECT_LT(largest_relative(single.cv, plain.cv), 1e-4);
  EXPECT_EQ(single.alpha, plain.alpha);
  EXPECT_LT(relative_norm(single.weights, plain.weights), 1e-4);
}

TEST(RidgeSingle, DirectionsTooSmallForFloat32AreSummedInFloat64) {
  const auto comm = Communicator::world();
  Data data = random_data(200, 6, 5, {90, 110}, 29);
  data.x.col(3) = data.x.col(1);                         // no variance of its own
  data.x.col(5) = data.x.col(2) + 1e-4 * data.x.col(5);  // hardly any
  const MatrixD rounded = data.x.cast<float>().cast<double>();
  const std::vector<double> alphas{0.0, 1e-15, 1e-3, 1.0};
  const auto single = fit_ridge(SingleSource(data.x, data.block_rows), SingleSource(data.y, data.block_rows),
                                {.alphas = alphas}, comm);
  const MatrixD y = data.y.cast<float>().cast<double>();
  expect_fit(single, {rounded, y, data.block_rows}, alphas,
             fit_ridge(MemorySource(rounded, data.block_rows), MemorySource(y, data.block_rows),
                       {.alphas = alphas}, Communicator::world().split(comm.rank(), 0))
                 .cv,
             comm, 1e-6);
}

TEST(RidgeSingle, MeansFarFromZeroCostNoDigits) {
  const auto comm = Communicator::world();
  Data data = random_data(240, 6, 9, {80, 100, 60}, 31);
  for (Index v = 0; v < data.y.cols(); ++v) data.y.col(v).array() += 87654.3 * static_cast<double>(v);
  data.x.array() += 1234.5;
  const MatrixD x = data.x.cast<float>().cast<double>(), y = data.y.cast<float>().cast<double>();
  const std::vector<double> alphas{1e-3, 1.0, 100.0};
  for (const char* criterion : {"loo", "leave-one-run-out"}) {
    const RidgeOptions options{.alphas = alphas, .criterion = criterion};
    const auto single =
        fit_ridge(SingleSource(x, data.block_rows), SingleSource(y, data.block_rows), options, comm);
    const auto whole =
        fit_ridge(MemorySource(x, data.block_rows), MemorySource(y, data.block_rows), options, comm);
    EXPECT_LT(largest_relative(single.cv, whole.cv), 3e-5) << criterion;
    EXPECT_EQ(single.alpha, whole.alpha);
  }
}

/// Means below half of the spread are not subtracted before rows are multiplied.
TEST(RidgeSingle, SmallMeansCostNoDigits) {
  const auto comm = Communicator::world();
  const Rows block_rows{300, 350, 250};
  const MatrixD spread = random_matrix(900, 200, 33);
  for (const double mean : {0.0, 0.45}) {
    const MatrixD x = (spread.array() + mean).matrix().cast<float>().cast<double>();
    const MatrixD y =
        (x * random_matrix(200, 6, 34) / 10 + random_matrix(900, 6, 35)).cast<float>().cast<double>();
    const RidgeOptions options{.alphas = {1e-3, 1.0, 100.0}, .criterion = "gcv"};
    const auto single = fit_ridge(SingleSource(x, block_rows), SingleSource(y, block_rows), options, comm);
    const auto whole = fit_ridge(MemorySource(x, block_rows), MemorySource(y, block_rows), options, comm);
    EXPECT_LT(largest_relative(single.cv, whole.cv), 1e-6) << mean;
  }
}

TEST(RidgeBlocks, SomeTargetsAtATimeGiveTheSame) {
  const auto comm = Communicator::world();
  for (const Index p : {7, 60}) {
    const Data data = random_data(50, p, 23, {20, 14, 16}, 31);
    const MemorySource x(data.x, data.block_rows), y(data.y, data.block_rows);
    for (const auto* criterion : {"loo", "gcv", "kfold:3", "leave-one-run-out"}) {
      for (const bool per_target : {true, false}) {
        RidgeOptions options{.alphas = some_alphas, .criterion = criterion, .per_target = per_target};
        const auto whole = fit_ridge(x, y, options, Communicator::world().split(comm.rank(), 0));
        Index next = 0, parts = 0;
        std::int64_t targets = 0;
        fit_ridge(x, y, options, {.targets_at_once = 8}, comm, [&](const RidgeFit& part) {
          ++parts;
          targets += part.targets_local.size();
          EXPECT_GE(part.targets_local.begin, next);
          next = part.targets_local.end;
          EXPECT_EQ(part.targets_global, 23);
          for (Index v = 0; v < part.targets_local.size(); ++v) {
            const Index global = part.targets_local.begin + v;
            EXPECT_EQ(part.alpha[v], whole.alpha[global]) << criterion;
            EXPECT_LT(relative_norm(part.weights.col(v), whole.weights.col(global)), 1e-9);
            EXPECT_LT(relative_norm(part.cv.col(v), whole.cv.col(global)), 1e-7);
          }
        });
        EXPECT_EQ(parts, 3) << criterion;
        EXPECT_EQ(comm.sum(targets), 23) << criterion;
      }
    }
  }
}

class RidgeParity : public ::testing::TestWithParam<const char*> {};

TEST_P(RidgeParity, EqualsScikitLearn) {
  const auto comm = Communicator::world();
  const auto fixture = read_text_matrices(std::string("parity/ridge/") + GetParam() + ".txt");
  const Data data{fixture.at("x"), fixture.at("y"), as_indices(fixture.at("block_rows"))};
  const MatrixD& list = fixture.at("alphas");
  const std::vector<double> alphas(list.data(), list.data() + list.size());
  const auto own_columns = [&](const char* name, Range own) -> MatrixD {
    return fixture.at(name).middleCols(own.begin, own.size());
  };

  const auto loo = fit(data, {.alphas = alphas}, comm);
  const Range own = loo.targets_local;
  EXPECT_EQ(MatrixD(loo.alpha.transpose()), own_columns("loo_alpha", own));
  EXPECT_LT(largest_relative(loo.cv, own_columns("loo_cv", own)), 1e-6);
  if (!own.empty()) {
    EXPECT_LT(relative_norm(loo.weights, own_columns("loo_weights", own)), 1e-6);
    EXPECT_LT(relative_norm(loo.intercept.transpose(), own_columns("loo_intercept", own)), 1e-6);
  }

  const auto runs = fit(data, {.alphas = alphas, .criterion = "leave-one-run-out"}, comm);
  EXPECT_LT(largest_relative(runs.cv, own_columns("group_mse", own)), 1e-6);
  const auto folds_of_runs =
      fit(data, {.alphas = alphas, .criterion = "kfold:" + std::to_string(data.block_rows.size())}, comm);
  EXPECT_LT(largest_relative(folds_of_runs.cv, own_columns("group_r2", own)), 1e-6);
  const Data one_block{data.x, data.y, {data.x.rows()}};
  if (data.x.rows() >= 10) {
    const auto folds_of_rows = fit(one_block, {.alphas = alphas, .criterion = "kfold:5"}, comm);
    EXPECT_LT(largest_relative(folds_of_rows.cv, own_columns("kfold5_r2", own)), 1e-6);
  }
}

INSTANTIATE_TEST_SUITE_P(Data, RidgeParity,
                         ::testing::Values("diabetes", "diabetes_wide", "linnerud", "random_tall",
                                           "random_wide"),
                         [](const auto& instance) { return std::string(instance.param); });

TEST(RidgeRanks, SplitCommunicatorsFitByThemselves) {
  const auto world = Communicator::world();
  const auto half = world.split(world.rank() % 2, world.rank());
  const Data data = random_data(30, 6, 5, {10, 20}, 30U + static_cast<unsigned>(world.rank() % 2));
  const auto result = fit(data, {.alphas = some_alphas}, half);
  expect_fit(result, data, some_alphas, refit_errors(data, some_alphas, single_rows(30)), half);
}

/// Fails on one rank, from its nth read on.
class FailingSource final : public BlockSource {
 public:
  FailingSource(MatrixD values, Rows rows, bool fails, int reads)
      : source_(std::move(values), std::move(rows)), fails_(fails), reads_(reads) {}
  Index blocks() const override { return source_.blocks(); }
  Index rows(Index block) const override { return source_.rows(block); }
  Index columns() const override { return source_.columns(); }
  std::string name(Index block) const override { return source_.name(block); }
  MatrixD read(Index block, Range columns) const override {
    if (fails_ && reads_-- <= 0) throw InputError("y.h5: run s01e01a cannot be read");
    return source_.read(block, columns);
  }

 private:
  MemorySource source_;
  bool fails_;
  mutable int reads_;
};

TEST(RidgeRanks, OneRanksFailureIsEveryRanks) {
  const auto comm = Communicator::world();
  for (const Index p : {4, 40}) {
    const Data data = random_data(20, p, 3, {4, 4, 4, 4, 4}, 40);
    const MemorySource x(data.x, data.block_rows);
    for (const auto* criterion : {"loo", "kfold:2", "leave-one-run-out"}) {
      for (int reads = 0; reads < 3; ++reads) {
        const FailingSource y(data.y, data.block_rows, comm.rank() == comm.size() - 1, reads);
        std::string message = "nothing was thrown";
        try {
          fit_ridge(x, y, {.alphas = {1.0}, .criterion = criterion}, comm);
        } catch (const InputError& error) {
          message = error.what();
        }
        // The last rank holds at least one block. Folds need one pass over y, the others two.
        if (reads < (std::string_view(criterion) == "kfold:2" ? 1 : 2)) {
          EXPECT_EQ(message, "y.h5: run s01e01a cannot be read");
        }
      }
    }
  }
}

std::string message_of(const MatrixD& x, const Rows& x_rows, const MatrixD& y, const Rows& y_rows,
                       const Communicator& comm) {
  try {
    fit_ridge(MemorySource(x, x_rows), MemorySource(y, y_rows), {.alphas = {1.0}}, comm);
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

TEST(RidgeInput, WhatDoesNotFitIsNamed) {
  const auto comm = Communicator::world();
  const MatrixD x = random_matrix(10, 2, 50);
  const MatrixD y = random_matrix(10, 1, 51);
  const auto rows = message_of(x, {4, 6}, y, {5, 5}, comm);
  EXPECT_NE(rows.find("block 0"), std::string::npos) << rows;
  EXPECT_NE(rows.find("4"), std::string::npos) << rows;
  EXPECT_NE(message_of(x, {10}, y, {5, 5}, comm).find("2"), std::string::npos);
  EXPECT_NE(message_of(x.topRows(1), {1}, y.topRows(1), {1}, comm), "");
  EXPECT_NE(message_of(x.topRows(0), {}, y.topRows(0), {}, comm), "");
  EXPECT_NE(message_of(x.leftCols(0), {10}, y, {10}, comm), "");
}

}  // namespace
}  // namespace cinecortex::encoding
