// A whole sweep beside its largest configuration alone: 5 sizes × 9 (delay, window) × 15 alphas × 5 folds.
#include "cinecortex/encoding/sweep.hpp"

#include <fmt/format.h>

#include <cmath>

#include "benchmark_main.hpp"
#include "cinecortex/core/clock.hpp"
#include "cinecortex/encoding/ridge.hpp"

namespace {

using namespace cinecortex;
using encoding::Design;
using encoding::LaggedStatistics;
using encoding::SweepPoint;

constexpr Index run_rows = 500, fold_count = 5;

/// Runs of components with falling variances, and responses that follow them two to five TRs later.
class Data {
 public:
  Data(Index runs, Index components, Index targets) {
    const MatrixF kernel = benchmarks::random_matrix(3 * components, targets, 1).cast<float>();
    for (Index run = 0; run < runs; ++run) {
      MatrixF x =
          benchmarks::random_matrix(run_rows, components, 10 + static_cast<std::uint64_t>(run)).cast<float>();
      for (Index j = 0; j < components; ++j) x.col(j) *= 10.0f / std::sqrt(1.0f + static_cast<float>(j));
      MatrixF y =
          benchmarks::random_matrix(run_rows, targets, 5000 + static_cast<std::uint64_t>(run)).cast<float>();
      y *= 100.0f;
      const Design design = Design::shifted_window(3, 3, encoding::Edge::shift);
      std::vector<Index> times(static_cast<std::size_t>(run_rows));
      for (Index t = 0; t < run_rows; ++t) times[static_cast<std::size_t>(t)] = t;
      linalg::gemm(false, false, 1.0f, design.rows_at(x, times, 0), kernel, 1.0f, y);
      x_.push_back(std::move(x));
      y_.push_back(std::move(y));
    }
  }
  const std::vector<MatrixF>& x() const { return x_; }
  const std::vector<MatrixF>& y() const { return y_; }
  std::vector<Index> groups() const {
    std::vector<Index> of(x_.size());
    for (Index fold = 0; fold < fold_count; ++fold) {
      const Range runs = partition(static_cast<Index>(x_.size()), fold_count, fold);
      for (Index run = runs.begin; run < runs.end; ++run) of[static_cast<std::size_t>(run)] = fold;
    }
    return of;
  }

 private:
  std::vector<MatrixF> x_, y_;
};

class Features final : public encoding::LaggedSource {
 public:
  Features(const Data& data, Design design, Index components)
      : data_(data), design_(std::move(design)), components_(components) {}
  const Design& design() const override { return design_; }
  Index components() const override { return components_; }
  Index feature_rows(Index) const override { return run_rows; }
  Range times(Index) const override { return {5, run_rows - 5}; }
  Index lowest() const override { return 5; }
  MatrixD features(Index block) const override { return features_single(block).cast<double>(); }
  MatrixF features_single(Index block) const override {
    return data_.x()[static_cast<std::size_t>(block)].leftCols(components_);
  }
  bool single_precision() const override { return true; }
  Index blocks() const override { return static_cast<Index>(data_.x().size()); }
  std::string name(Index) const override { return "run"; }

 private:
  const Data& data_;
  Design design_;
  Index components_;
};

class Responses final : public encoding::BlockSource {
 public:
  explicit Responses(const Data& data) : data_(data) {}
  Index blocks() const override { return static_cast<Index>(data_.y().size()); }
  Index rows(Index) const override { return run_rows - 10; }
  Index columns() const override { return data_.y().front().cols(); }
  MatrixD read(Index block, Range columns) const override {
    return read_single(block, columns).cast<double>();
  }
  MatrixF read_single(Index block, Range columns) const override {
    return data_.y()[static_cast<std::size_t>(block)].block(5, columns.begin, run_rows - 10, columns.size());
  }
  bool single_precision() const override { return true; }
  using BlockSource::read;
  std::string name(Index) const override { return "run"; }

 private:
  const Data& data_;
};

/// Seconds of the statistics, and of everything that is made from them.
struct Seconds {
  double statistics = 0, fits = 0;
  double all() const { return statistics + fits; }
};

Seconds time_sweep(const Data& data, const std::vector<SweepPoint>& points, const Design& widest,
                   Index components, const parallel::Communicator& comm) {
  const Stopwatch accumulation;
  const auto statistics = LaggedStatistics::accumulate(Features(data, widest, components), Responses(data),
                                                       data.groups(), fold_count, comm);
  const double accumulated = accumulation.seconds();
  const Stopwatch fits;
  const auto scores = encoding::sweep(
      statistics, points, {.alphas = encoding::default_alphas(), .only_resolved_by_single = true}, comm);
  benchmark::DoNotOptimize(scores.data());
  return {accumulated, fits.seconds()};
}

/// A whole ridge fit, as the verb `ridge` makes it.
double time_fit(const Data& data, const SweepPoint& point, const char* criterion,
                const parallel::Communicator& comm) {
  const Stopwatch clock;
  const auto fit = encoding::fit_ridge(Features(data, point.design, point.components), Responses(data),
                                       {.alphas = encoding::default_alphas(), .criterion = criterion}, comm);
  benchmark::DoNotOptimize(fit.weights.data());
  return clock.seconds();
}

/// @param range  runs of 500 TRs, most components, targets
void sweep(benchmark::State& state) {
  const Index runs = state.range(0), components = state.range(1), targets = state.range(2);
  const Data data(runs, components, targets);
  const auto world = parallel::Communicator::world();
  std::vector<SweepPoint> points;
  for (const double share : {0.05, 0.125, 0.25, 0.5, 1.0}) {
    for (const Index delay : {2, 3, 4}) {
      for (const Index window : {1, 2, 3}) {
        const auto size = static_cast<Index>(std::lround(share * static_cast<double>(components)));
        points.push_back({size, Design::shifted_window(delay, window, encoding::Edge::shift)});
      }
    }
  }
  const SweepPoint largest = points.back();
  Seconds single, whole;
  double k_fold = 0, leave_one_out = 0;
  for (auto _ : state) {
    single = time_sweep(data, {largest}, largest.design, components, world);
    whole = time_sweep(data, points, Design::fir({2, 3, 4, 5, 6}, encoding::Edge::shift), components, world);
    k_fold = time_fit(data, largest, "kfold:5", world);
    leave_one_out = time_fit(data, largest, "loo", world);
  }
  state.counters["single_statistics"] = single.statistics;
  state.counters["single_fits"] = single.fits;
  state.counters["sweep_statistics"] = whole.statistics;
  state.counters["sweep_fits"] = whole.fits;
  state.counters["ratio"] = whole.all() / single.all();
  state.counters["ridge_kfold"] = k_fold;
  state.counters["ratio_kfold"] = whole.all() / k_fold;
  state.counters["ridge_loo"] = leave_one_out;
  state.counters["ratio_loo"] = whole.all() / leave_one_out;
}
BENCHMARK(sweep)
    ->Args({40, 250, 500})
    ->Args({160, 250, 500})
    ->Args({320, 250, 1000})
    ->Args({40, 250, 4000})
    ->Iterations(1)
    ->Unit(benchmark::kSecond)
    ->UseRealTime();

}  // namespace

int main(int argc, char** argv) {
  return benchmarks::run(argc, argv);
}
