// A whole ridge fit in memory: 15 alphas, the criterion, an alpha a target, weights.
#include "cinecortex/encoding/ridge.hpp"
#include "benchmark_main.hpp"

namespace {

using namespace cinecortex;
using benchmarks::random_matrix;

/// @param range  rows n, columns p, targets t
void fit(benchmark::State& state, const char* criterion) {
  const Index rows = state.range(0), columns = state.range(1), targets = state.range(2);
  const MatrixD x = random_matrix(rows, columns, 1);
  const MatrixD y = x * random_matrix(columns, targets, 2) * 0.1 + random_matrix(rows, targets, 3) * 3.0;
  constexpr Index run = 500;
  const std::vector<Index> runs(static_cast<std::size_t>(rows / run), run);
  const encoding::MemorySource x_runs(x, runs), y_runs(y, runs);
  const encoding::RidgeOptions options{.alphas = encoding::default_alphas(), .criterion = criterion};
  const auto world = parallel::Communicator::world();
  for (auto _ : state) {
    const auto result = encoding::fit_ridge(x_runs, y_runs, options, world);
    benchmark::DoNotOptimize(result.weights.data());
    state.counters["passes"] = static_cast<double>(result.passes);
    state.counters["bound"] = result.cv_error_bound;
  }
}
BENCHMARK_CAPTURE(fit, loo, "loo")
    ->Args({2000, 250, 1000})
    ->Args({8000, 1000, 1000})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK_CAPTURE(fit, loo_dual, "loo")
    ->Args({1000, 4000, 1000})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK_CAPTURE(fit, gcv, "gcv")->Args({8000, 1000, 1000})->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK_CAPTURE(fit, leave_one_run_out, "leave-one-run-out")
    ->Args({2000, 250, 1000})
    ->Args({8000, 1000, 1000})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

BENCHMARK_CAPTURE(fit, kfold, "kfold:5")
    ->Args({8000, 1000, 1000})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

}  // namespace

int main(int argc, char** argv) {
  return benchmarks::run(argc, argv);
}
