// Principal components of features in memory, by each solver.
#include "cinecortex/encoding/pca.hpp"
#include "benchmark_main.hpp"

namespace {

using namespace cinecortex;

/// Numbers whose variance falls from column to column as that of real features does: a random matrix has no
/// few directions worth finding.
MatrixD decaying(Index rows, Index columns) {
  const Index latent = std::min<Index>(columns, 600);
  MatrixD factors = benchmarks::random_matrix(rows, latent, 1);
  for (Index j = 0; j < latent; ++j) factors.col(j) /= static_cast<double>(j + 1);
  return factors * benchmarks::random_matrix(latent, columns, 2) +
         0.01 * benchmarks::random_matrix(rows, columns, 3);
}

/// @param range  rows n, columns d, components k
void fit(benchmark::State& state, encoding::PcaSolver solver) {
  const Index rows = state.range(0), run = 500;
  const std::vector<Index> runs(static_cast<std::size_t>(rows / run), run);
  const encoding::MemorySource features(decaying(rows, state.range(1)), runs);
  const encoding::PcaOptions options{.components = state.range(2), .fit_every = 1, .solver = solver};
  const auto world = parallel::Communicator::world();
  double residual = 0;
  for (auto _ : state) {
    const auto pca = encoding::fit_pca(features, options, world);
    residual = pca.residual;
  }
  state.counters["residual"] = residual;  // a fast answer that is wrong is no answer
}
BENCHMARK_CAPTURE(fit, covariance, encoding::PcaSolver::covariance)
    ->Args({4000, 1000, 250})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK_CAPTURE(fit, dual, encoding::PcaSolver::dual)
    ->Args({1000, 8000, 250})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK_CAPTURE(fit, randomized, encoding::PcaSolver::randomized)
    ->Args({4000, 8000, 250})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

}  // namespace

int main(int argc, char** argv) {
  return benchmarks::run(argc, argv);
}
