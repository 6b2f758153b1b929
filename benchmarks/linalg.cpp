// Dense kernels on this process's threads: what every fit is made of.
#include "benchmark_main.hpp"

namespace {

using namespace cinecortex;
using benchmarks::random_matrix;

/// One run's share of the Gram matrix: [480, p] rows.
void gram(benchmark::State& state) {
  const Index rows = 480, p = state.range(0);
  const MatrixD x = random_matrix(rows, p, 1);
  MatrixD sum = MatrixD::Zero(p, p);
  for (auto _ : state) {
    linalg::add_gram(x, sum);
    benchmark::DoNotOptimize(sum.data());
  }
  const auto n = static_cast<double>(rows), c = static_cast<double>(p);
  benchmarks::report_flops(state, n * c * c);
}
BENCHMARK(gram)->Arg(250)->Arg(1000)->Arg(3000)->Unit(benchmark::kMillisecond)->UseRealTime();

/// One run's share of X'Y: [480, p] by [480, t].
void cross_product(benchmark::State& state) {
  const Index rows = 480, p = state.range(0), targets = 1000;
  const MatrixD x = random_matrix(rows, p, 1), y = random_matrix(rows, targets, 2);
  MatrixD sum = MatrixD::Zero(p, targets);
  for (auto _ : state) {
    linalg::gemm(true, false, 1.0, x, y, 1.0, sum);
    benchmark::DoNotOptimize(sum.data());
  }
  benchmarks::report_flops(state, 2.0 * static_cast<double>(rows) * static_cast<double>(p) * targets);
}
BENCHMARK(cross_product)->Arg(250)->Arg(1000)->Arg(3000)->Unit(benchmark::kMillisecond)->UseRealTime();

void eigendecomposition(benchmark::State& state) {
  const Index p = state.range(0);
  const MatrixD x = random_matrix(2 * p, p, 3);
  MatrixD sum = MatrixD::Zero(p, p);
  linalg::add_gram(x, sum);
  linalg::mirror_upper(sum);
  for (auto _ : state) {
    const auto pairs = linalg::eigh(sum);
    benchmark::DoNotOptimize(pairs.values.data());
  }
}
BENCHMARK(eigendecomposition)->Arg(250)->Arg(1000)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace

int main(int argc, char** argv) {
  return benchmarks::run(argc, argv);
}
