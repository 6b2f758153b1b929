// The memory that a fit announces, beside what it is seen to take.
#include <gtest/gtest.h>

#include <fstream>

#include "cinecortex/core/memory.hpp"
#include "cinecortex/encoding/lagged_statistics.hpp"
#include "cinecortex/encoding/ridge.hpp"

namespace cinecortex::encoding {
namespace {

using parallel::Communicator;

MatrixD some_values(Index rows, Index columns, Index seed) {
  std::srand(static_cast<unsigned>(seed));
  return MatrixD::Random(rows, columns);
}

/// Rows that are made when they are read, so that they take no memory themselves.
class MadeUp final : public LaggedSource {
 public:
  /// @param loud  one row of so many is far larger than the others; 0: none
  MadeUp(std::vector<Index> rows, Index columns, Design design, Index loud = 0)
      : rows_(std::move(rows)), columns_(columns), design_(std::move(design)), loud_(loud) {}
  const Design& design() const override { return design_; }
  Index components() const override { return columns_; }
  Index feature_rows(Index block) const override { return rows_[static_cast<std::size_t>(block)]; }
  Range times(Index block) const override { return {0, feature_rows(block)}; }
  Index lowest() const override { return 0; }
  Index blocks() const override { return std::ssize(rows_); }
  std::string name(Index) const override { return "run"; }
  MatrixD features(Index block) const override {
    MatrixD values = some_values(feature_rows(block), columns_, block);
    for (Index i = 0; loud_ > 0 && i < values.rows(); i += loud_) values.row(i) *= 1e3;
    return values;
  }

 private:
  std::vector<Index> rows_;
  Index columns_;
  Design design_;
  Index loud_;
};

/// What a fit takes at its peak beside what was there before, on the rank where that is most.
double measured(const BlockSource& x, const BlockSource& y, const RidgeOptions& options,
                const RidgeBudget& budget, const Communicator& comm) {
  give_back_freed_memory();  // of the tests before: what is taken from it would not be seen
  std::ofstream("/proc/self/clear_refs") << "5";  // the peak begins anew
  const std::int64_t before = resident_bytes();
  fit_ridge(x, y, options, budget, comm, [](RidgeFit) {});
  return static_cast<double>(comm.max(peak_resident_bytes() - before));
}

constexpr double mebibyte = 1 << 20;

void expect_no_more_than_announced(const RidgeShape& shape, const BlockSource& x, const BlockSource& y,
                                   const RidgeOptions& options, double least, const Communicator& comm) {
  const RidgeBudget budget{.targets_at_once = 0, .cache_bytes = Index{64} << 20};
  const double taken = measured(x, y, options, budget, comm);
  EXPECT_LE(taken, ridge_bytes(shape, budget)) << taken / mebibyte << " MiB";
  EXPECT_GT(taken, least * mebibyte / comm.size()) << "too little to show anything";
}

const Design plain = Design::fir({0}, Edge::zero);

TEST(RidgeMemory, WeightsOfADualFit) {
  const auto comm = Communicator::world();
  const RidgeOptions options{.alphas = default_alphas(), .criterion = "gcv"};
  expect_no_more_than_announced({.rows = 200,
                                 .columns = 16000,
                                 .targets = 800,
                                 .block_rows = 100,
                                 .ranks = comm.size(),
                                 .single = false},
                                MadeUp({100, 100}, 16000, plain), MadeUp({100, 100}, 800, plain), options,
                                150, comm);
}

TEST(RidgeMemory, RowsThatAreLeftOutExactly) {
  const auto comm = Communicator::world();
  const std::vector<Index> runs{1300, 400, 1500, 800};
  expect_no_more_than_announced({.rows = 4000,
                                 .columns = 300,
                                 .targets = 3000,
                                 .alphas = std::ssize(default_alphas()),
                                 .block_rows = 1500,
                                 .ranks = comm.size(),
                                 .single = false},
                                MadeUp(runs, 300, plain, 14), MemorySource(some_values(4000, 3000, 9), runs),
                                {.alphas = default_alphas()}, 80, comm);
}

TEST(RidgeMemory, SystemsOfRunsThatAreLeftOut) {
  const auto comm = Communicator::world();
  const RidgeOptions options{.alphas = default_alphas(), .criterion = "leave-one-run-out"};
  const std::vector<Index> runs{1300, 1300, 1300, 1300};
  expect_no_more_than_announced({.rows = 5200,
                                 .columns = 40,
                                 .targets = 64,
                                 .block_rows = 1300,
                                 .ranks = comm.size(),
                                 .leaves_blocks_out = true,
                                 .single = false},
                                MadeUp(runs, 40, plain), MadeUp(runs, 64, plain), options, 80, comm);
}

TEST(RidgeMemory, GramMatricesOfFolds) {
  const auto comm = Communicator::world();
  const RidgeOptions options{.alphas = default_alphas(), .criterion = "kfold:3"};
  const std::vector<Index> runs(6, 300);
  expect_no_more_than_announced({.rows = 1800,
                                 .columns = 900,
                                 .targets = 1300,
                                 .folds = 3,
                                 .block_rows = 300,
                                 .ranks = comm.size(),
                                 .single = false},
                                MadeUp(runs, 900, plain), MadeUp(runs, 1300, plain), options, 40, comm);
}

TEST(RidgeMemory, RowsNearTheEndsOfRuns) {
  const auto comm = Communicator::world();
  const RidgeOptions options{.alphas = default_alphas(), .criterion = "gcv"};
  const std::vector<Index> runs(100, 20), delays{1, 2, 3, 4, 5, 6, 7, 8};
  const Design design = Design::fir(delays, Edge::zero);
  const RidgeShape shape{.rows = 2000,
                         .columns = 16,
                         .targets = 12000,
                         .block_rows = 20,
                         .edge_rows = edge_rows(delays, 100),
                         .components = 2,
                         .ranks = comm.size(),
                         .single = false};
  expect_no_more_than_announced(shape, MadeUp(runs, 2, design), MadeUp(runs, 12000, plain), options, 80,
                                comm);
}

}  // namespace
}  // namespace cinecortex::encoding
