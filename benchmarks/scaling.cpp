// The phases of a leave-one-out ridge fit on the ranks of this job, each beside what its operations and the measured
// matrix product predict. The data are made in memory, the same for any number of ranks. Rank 0 prints JSON.
//   mpirun -n 2 scaling --rows 40000 --columns 3000 --targets 4000 [--curve FILE]
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

namespace {

using namespace cinecortex;

struct Options {
  Index rows = 40000, columns = 3000, targets = 4000;
  std::string curve;  ///< where the curve of all targets goes, as raw float64 [targets, alphas]
};

Options parse(int argc, char** argv) {
  Options options;
  const std::map<std::string_view, Index*> sizes{
      {"--rows", &options.rows}, {"--columns", &options.columns}, {"--targets", &options.targets}};
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view value = argv[i + 1];
    if (std::string_view(argv[i]) == "--curve") {
      options.curve = value;
    } else {
      std::from_chars(value.data(), value.data() + value.size(), *sizes.at(argv[i]));
    }
  }
  return options;
}

/// Runs the phases one after the other, all ranks together, and keeps what each took and should have taken.
class Phases {
 public:
  explicit Phases(const parallel::Communicator& comm) : comm_(comm) {}

  /// @param predicted  seconds
  template <class Fn>
  auto run(const char* name, double predicted, Fn&& fn) {
    comm_.barrier();
    const Stopwatch clock;
    auto result = fn();
    comm_.barrier();
    if (!text_.empty()) text_ += ", ";
    text_ += fmt::format("\"{}\": {{\"seconds\": {:.4f}, \"predicted\": {:.4f}}}", name, clock.seconds(),
                         predicted);
    return result;
  }
  const std::string& text() const { return text_; }

 private:
  const parallel::Communicator& comm_;
  std::string text_;
};

double flops_of(Index a, Index b, Index c) {
  return static_cast<double>(a) * static_cast<double>(b) * static_cast<double>(c);
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
  const std::int64_t before = resident_bytes();
  const double ranks = comm.size();

  Phases phases(comm);
  encoding::Fold all;
  for (Index block = 0; block < x.blocks(); ++block) all.push_back({0, x.rows(block)});
  const auto sums = [&](bool gram) {
    return encoding::centre(
        std::move(encoding::fold_statistics(problem, x, {all}, {.gram = gram, .single = true}).front()));
  };
  const double of_cross = 2 * flops_of(n, p, t) / single / ranks;
  phases.run("cross products", of_cross, [&] { return sums(false).rows; });
  auto statistics = phases.run("gram and cross products", of_cross + flops_of(n, p, p) / single / ranks,
                               [&] { return sums(true); });
  // Up to 4000 columns one rank decomposes for all.
  const double decomposing = p < 4000 ? 1.0 : ranks;
  const auto form = phases.run("eigenvectors", 14.0 / 3.0 * flops_of(p, p, p) / twice / decomposing, [&] {
    return std::make_unique<encoding::PrimalForm>(x, statistics, true, comm);
  });
  const auto projected = phases.run("projection", 2 * flops_of(p, p, t) / twice / ranks,
                                    [&] { return form->project(statistics); });
  statistics = {};
  const auto leverages = phases.run(
      "leverages", (2 * flops_of(n, p, p) / single + 2 * flops_of(n, p, alpha_count) / twice) / ranks, [&] {
        return std::make_unique<encoding::Leverages>(problem, *form, alphas,
                                                     encoding::RidgeBudget{}.cache_bytes);
      });
  comm.barrier();
  const Stopwatch clock;
  const auto curve = encoding::leave_one_out(problem, *form, *leverages, projected, alphas);
  comm.barrier();
  const double passes = clock.seconds();
  const double expected = 2 * flops_of(n, p, t) * static_cast<double>(curve.terms) / single / ranks;
  if (!options.curve.empty()) write_curve(options.curve, curve.mse, comm);

  const std::int64_t grown = comm.max(peak_resident_bytes() - before);
  const encoding::RidgeShape shape{.rows = n,
                                   .columns = p,
                                   .targets = t,
                                   .alphas = alpha_count,
                                   .block_rows = run_rows,
                                   .ranks = comm.size()};
  if (!comm.root()) return;
  fmt::print(
      "{{\"ranks\": {}, \"rows\": {}, \"columns\": {}, \"targets\": {}, \"terms\": {}, \"bound\": {:.1e}, "
      "\"gemm_float\": {:.4g}, \"gemm_double\": {:.4g}, \"memory_bytes\": {}, \"memory_bound_bytes\": "
      "{:.0f}, "
      "\"phases\": {{{}, \"residual passes\": {{\"seconds\": {:.4f}, \"predicted\": {:.4f}}}}}}}\n",
      comm.size(), n, p, t, curve.terms, curve.bound, single, twice, grown, encoding::ridge_bytes(shape, {}),
      phases.text(), passes, expected);
}

}  // namespace

int main(int argc, char** argv) {
  return benchmarks::run_alone(argc, argv, [&] {
    measure(parse(argc, argv), parallel::Communicator::world());
    return 0;
  });
}
