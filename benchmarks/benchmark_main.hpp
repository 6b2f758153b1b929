#pragma once
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <random>

#include "cinecortex/core/clock.hpp"
#include "cinecortex/core/memory.hpp"
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

/// main of every executable here: memory as the program has it, MPI, and OMP_NUM_THREADS threads a rank (default: all cores).
template <class Fn>
int run_alone(int& argc, char**& argv, Fn&& fn) {
  linalg::use_fitting_blas_kernel(argv);
  keep_freed_memory();
  const parallel::Environment environment(argc, argv);
  const char* wanted = std::getenv("OMP_NUM_THREADS");
  const int threads = wanted ? std::max(1, std::atoi(wanted)) : parallel::available_cores();
  parallel::set_openmp_threads(threads);
  linalg::set_blas_threads(threads);
  return fn();
}

/// The same for Google Benchmark on one rank, with a header that says which BLAS and which of its kernels was timed,
/// for figures are worth nothing without it.
inline int run(int argc, char** argv) {
  return run_alone(argc, argv, [&] {
    benchmark::AddCustomContext("blas", linalg::blas_description());
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return 0;
  });
}

/// Operations a second of a large square product on this process's threads: what a kernel of products can reach.
template <class Scalar>
double gemm_rate() {
  constexpr Index size = 3072;
  static const Matrix<Scalar> a = random_matrix(size, size, 1).cast<Scalar>();
  Matrix<Scalar> c = Matrix<Scalar>::Zero(size, size);
  double least = std::numeric_limits<double>::infinity();
  for (int repeat = 0; repeat < 3; ++repeat) {
    const Stopwatch clock;
    linalg::gemm(true, false, Scalar{1}, a, a, Scalar{0}, c);
    least = std::min(least, clock.seconds());
  }
  return 2.0 * size * size * size / least;
}

/// Times `kernel`, and reports its operations a second (`flops` are those of one call) and their share of what a
/// product in the same precision reaches at the same moment.
template <class Scalar, class Kernel>
void time_against_gemm(benchmark::State& state, double flops, Kernel&& kernel) {
  const double gemm = gemm_rate<Scalar>();
  double seconds = 0;
  for (auto _ : state) {
    const Stopwatch clock;
    kernel();
    seconds += clock.seconds();
  }
  const double rate = flops * static_cast<double>(state.iterations()) / seconds;
  state.counters["FLOPS"] =
      benchmark::Counter(rate, benchmark::Counter::kDefaults, benchmark::Counter::kIs1000);
  state.counters["gemm"] =
      benchmark::Counter(gemm, benchmark::Counter::kDefaults, benchmark::Counter::kIs1000);
  state.counters["share_of_gemm"] = rate / gemm;
}

/// Reports floating-point operations a second; `flops` are those of one iteration.
inline void report_flops(benchmark::State& state, double flops) {
  state.counters["FLOPS"] =
      benchmark::Counter(flops, benchmark::Counter::kIsIterationInvariantRate, benchmark::Counter::kIs1000);
}

}  // namespace cinecortex::benchmarks
