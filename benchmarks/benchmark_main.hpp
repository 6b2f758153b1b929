#pragma once
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <random>

#include "cinecortex/core/types.hpp"
#include "cinecortex/linalg/blas_kernel.hpp"
#include "cinecortex/linalg/dense.hpp"
#include "cinecortex/parallel/communicator.hpp"
#include "cinecortex/parallel/threads.hpp"

namespace cinecortex::benchmarks {

/// Standard normal numbers, the same in every run.
inline MatrixD random_matrix(Index rows, Index columns, std::uint64_t seed) {
  std::mt19937_64 engine(seed);
  std::normal_distribution<double> normal;
  MatrixD values(rows, columns);
  for (Index i = 0; i < values.size(); ++i) values.data()[i] = normal(engine);
  return values;
}

/// main of every benchmark: MPI with one rank, OMP_NUM_THREADS threads (default: all cores), and a header
/// that says which BLAS and which of its kernels was timed, for figures are worth nothing without it.
inline int run(int argc, char** argv) {
  linalg::use_fitting_blas_kernel(argv);
  const parallel::Environment environment(argc, argv);
  const char* wanted = std::getenv("OMP_NUM_THREADS");
  const int threads = wanted ? std::max(1, std::atoi(wanted)) : parallel::available_cores();
  parallel::set_openmp_threads(threads);
  linalg::set_blas_threads(threads);
  benchmark::AddCustomContext("blas", linalg::blas_description());
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}

/// Reports floating-point operations a second; `flops` are those of one iteration.
inline void report_flops(benchmark::State& state, double flops) {
  state.counters["FLOPS"] =
      benchmark::Counter(flops, benchmark::Counter::kIsIterationInvariantRate, benchmark::Counter::kIs1000);
}

}  // namespace cinecortex::benchmarks
