// Seconds of the phases of a leave-one-out ridge fit on the ranks of this job; with --folder also of principal components,
// stacking, files and sums over the ranks. The data are made in memory, the same for any number of ranks. Rank 0 prints
// JSON, which scaling.py makes a cost model of.
//   mpirun -n 2 scaling --rows 40000 --columns 3000 --targets 4000 [--curve FILE] [--folder FOLDER]
#include <fmt/format.h>

#include <charconv>
#include <fstream>
#include <map>
#include <string_view>

#include "benchmark_main.hpp"
#include "cinecortex/core/memory.hpp"
#include "cinecortex/encoding/ridge.hpp"
#include "k_fold.hpp"
#include "leave_one_out.hpp"
#include "made_up_runs.hpp"
#include "scaling_phases.hpp"

namespace {

using namespace cinecortex;

struct Options {
  Index rows = 40000, columns = 3000, targets = 4000;
  std::string folder;  ///< for a file to write and read
  std::string curve;   ///< where the curve of all targets goes, as raw float64 [targets, alphas]
};

Options parse(int argc, char** argv) {
  Options options;
  const std::map<std::string_view, Index*> sizes{
      {"--rows", &options.rows}, {"--columns", &options.columns}, {"--targets", &options.targets}};
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view value = argv[i + 1];
    if (std::string_view(argv[i]) == "--curve") {
      options.curve = value;
    } else if (std::string_view(argv[i]) == "--folder") {
      options.folder = value;
    } else {
      std::from_chars(value.data(), value.data() + value.size(), *sizes.at(argv[i]));
    }
  }
  return options;
}

void write_curve(const std::string& file, const MatrixD& curve, const parallel::Communicator& comm) {
  const MatrixD targets_first = curve.transpose();
  const auto all = comm.gather(
      std::span<const double>(targets_first.data(), static_cast<std::size_t>(targets_first.size())));
  if (!comm.root()) return;
  std::ofstream(file, std::ios::binary)
      .write(reinterpret_cast<const char*>(all.data()), static_cast<std::streamsize>(8 * all.size()));
}

void measure(const Options& options, const parallel::Communicator& comm) {
  constexpr Index run_rows = 480;
  const Index n = options.rows, p = options.columns, t = options.targets;
  const auto alphas = encoding::default_alphas();
  const auto alpha_count = static_cast<Index>(alphas.size());
  benchmarks::MadeUpDesign x(n, run_rows, p);
  benchmarks::MadeUpResponses y(n, run_rows, t, p);
  const encoding::RidgeProblem problem(x, y, comm);
  for (const Index block : problem.blocks_with_rows_local()) {
    x.keep(block, {0, p});
    y.keep(block, problem.grid().targets_local());
  }
  comm.barrier();
  // All ranks at the same time, as they will work: they share the memory and the power of their processor.
  const double single = -comm.max(-benchmarks::gemm_rate<float>());
  const double twice = -comm.max(-benchmarks::gemm_rate<double>());
  std::ofstream("/proc/self/clear_refs") << 5;  // the peak from here on
  const std::int64_t before = resident_bytes();

  benchmarks::Phases phases(comm);
  encoding::Fold all;
  for (Index block = 0; block < x.blocks(); ++block) all.push_back({0, x.rows(block)});
  const auto sums = [&](bool gram) {
    return std::move(encoding::fold_statistics(problem, x, {all}, {.gram = gram, .single = true}).front());
  };
  phases.run("cross products", [&] { return sums(false).rows; });
  auto statistics = phases.run("gram and cross products", [&] { return sums(true); });
  const auto form = phases.run(
      "eigenvectors", [&] { return std::make_unique<encoding::PrimalForm>(x, statistics, true, comm); });
  statistics.gram = {};
  const auto projected = phases.run("projection", [&] { return form->project(statistics); });
  statistics = {};
  const auto leverages = phases.run("leverages", [&] {
    return std::make_unique<encoding::Leverages>(problem, *form, alphas, encoding::RidgeBudget{}.cache_bytes);
  });
  const auto curve = phases.run("residual passes", [&] {
    return encoding::leave_one_out(problem, *form, *leverages, projected, alphas);
  });
  if (!options.curve.empty()) write_curve(options.curve, curve.mse, comm);

  const std::int64_t grown = comm.max(peak_resident_bytes() - before);
  const encoding::RidgeShape shape{.rows = n,
                                   .columns = p,
                                   .targets = t,
                                   .alphas = alpha_count,
                                   .block_rows = run_rows,
                                   .ranks = comm.size()};
  if (!options.folder.empty()) {
    benchmarks::time_components(phases, n, p, comm);
    // Wide enough that neither a run's predictions nor a file fit a cache.
    benchmarks::time_stacking(phases, n / 16, 4 * t, comm);
    benchmarks::time_files(phases, options.folder, n, 2 * t, comm);
    benchmarks::time_network(phases, comm);
  }
  if (!comm.root()) return;
  fmt::print(
      "{{\"ranks\": {}, \"rows\": {}, \"columns\": {}, \"targets\": {}, \"terms\": {}, \"bound\": {:.1e}, "
      "\"gemm_float\": {:.4g}, \"gemm_double\": {:.4g}, \"memory_bytes\": {}, \"memory_bound_bytes\": "
      "{:.0f}, "
      "\"seconds\": {{{}}}}}\n",
      comm.size(), n, p, t, curve.products, curve.bound, single, twice, grown,
      encoding::ridge_bytes(shape, {}), phases.text());
}

}  // namespace

int main(int argc, char** argv) {
  return benchmarks::run_alone(argc, argv, [&] {
    measure(parse(argc, argv), parallel::Communicator::world());
    return 0;
  });
}
