// Each statistical kernel alone, on one rank, beside what a plain matrix product reaches at the same moment.
#include "benchmark_main.hpp"
#include "cinecortex/encoding/held_out.hpp"
#include "cinecortex/encoding/ridge.hpp"
#include "cinecortex/linalg/product_sum.hpp"
#include "k_fold.hpp"
#include "leave_one_out.hpp"
#include "made_up_runs.hpp"

namespace {

using namespace cinecortex;
using benchmarks::MadeUpDesign;
using benchmarks::MadeUpResponses;
using benchmarks::random_matrix;
using benchmarks::time_against_gemm;

constexpr Index run_rows = 480;
constexpr Index batch_runs = 4;  ///< that settle together, as of 100,000 rows in LaggedStatistics

double real(Index value) {
  return static_cast<double>(value);
}

/// A few runs' rows that stand for any number of them: together larger than a processor's second cache.
template <class Scalar>
std::vector<Matrix<Scalar>> some_runs(Index columns, std::uint64_t seed) {
  std::vector<Matrix<Scalar>> runs;
  for (std::uint64_t i = 0; i < 4; ++i)
    runs.push_back(random_matrix(run_rows, columns, seed + i).cast<Scalar>());
  return runs;
}

/// G from n rows in runs.
/// @param range  rows n, columns p
template <class Scalar>
void gram_sum(benchmark::State& state) {
  const Index count = state.range(0) / run_rows, p = state.range(1);
  const auto runs = some_runs<Scalar>(p, 1);
  time_against_gemm<Scalar>(state, real(count * run_rows) * real(p) * real(p + 1), [&] {
    linalg::GramSum sum(p);
    for (Index run = 0; run < count; ++run) {
      sum.add(runs[static_cast<std::size_t>(run % 4)]);
      if (run % batch_runs == batch_runs - 1) sum.settle();
    }
    benchmark::DoNotOptimize(sum.take().data());
  });
}

/// C from n rows in runs.
/// @param range  rows n, columns p, targets t
template <class Scalar>
void product_sum(benchmark::State& state) {
  const Index count = state.range(0) / run_rows, p = state.range(1), targets = state.range(2);
  const auto x = some_runs<Scalar>(p, 1);
  const auto y = some_runs<Scalar>(targets, 11);
  time_against_gemm<Scalar>(state, 2.0 * real(count * run_rows) * real(p) * real(targets), [&] {
    linalg::ProductSum sum(p, targets);
    for (Index run = 0; run < count; ++run) {
      const auto at = static_cast<std::size_t>(run % 4);
      sum.add(x[at], y[at]);
      if (run % batch_runs == batch_runs - 1) sum.settle();
    }
    benchmark::DoNotOptimize(sum.take().data());
  });
}

template <class Scalar>
void eigendecomposition(benchmark::State& state) {
  const Index p = state.range(0);
  MatrixD gram = MatrixD::Zero(p, p);
  linalg::add_gram(random_matrix(2 * p, p, 3), 1.0, gram);
  linalg::mirror_lower(gram);
  time_against_gemm<Scalar>(state, linalg::eigh_operations(p), [&] {
    const auto pairs = linalg::eigh(gram);
    benchmark::DoNotOptimize(pairs.values.data());
  });
}

/// Features whose runs are seen at three delays.
class Lagged final : public encoding::LaggedSource {
 public:
  explicit Lagged(const MadeUpDesign& features) : features_(features) {}
  const encoding::Design& design() const override { return design_; }
  Index components() const override { return features_.columns(); }
  Index feature_rows(Index block) const override { return features_.rows(block); }
  Range times(Index block) const override { return {0, features_.rows(block)}; }
  Index lowest() const override { return 0; }
  Index blocks() const override { return features_.blocks(); }
  std::string name(Index block) const override { return features_.name(block); }
  bool single_precision() const override { return true; }
  MatrixD features(Index block) const override { return features_.read(block); }
  MatrixF features_single(Index block) const override {
    return features_.read_single(block, {0, features_.columns()});
  }

 private:
  const MadeUpDesign& features_;
  encoding::Design design_ = encoding::Design::fir({2, 3, 4}, encoding::Edge::zero);
};

/// G and C of a design of three delays, whole: reading ahead, shifts, edges, sums.
/// @param range  rows n, components k (p = 3 k), targets t
void lagged_statistics(benchmark::State& state) {
  const Index n = state.range(0), k = state.range(1), targets = state.range(2);
  MadeUpDesign features(n, run_rows, k);
  MadeUpResponses y(n, run_rows, targets, k);
  features.keep_all();
  y.keep_all();
  const Lagged x(features);
  const std::vector<Index> one_group(static_cast<std::size_t>(x.blocks()), 0);
  const auto world = parallel::Communicator::world();
  // Three differences of delays: one symmetric product and two full ones; three products with the responses.
  const double flops = real(n) * real(k) * (real(k) + 4.0 * real(k) + 6.0 * real(targets));
  time_against_gemm<float>(state, flops, [&] {
    auto groups = encoding::LaggedStatistics::accumulate(x, y, one_group, 1, world);
    benchmark::DoNotOptimize(groups.data());
  });
}

/// What leave-one-out needs before its passes begin.
struct Prepared {
  Prepared(Index rows, Index columns, Index targets, Index loud = 0)
      : x(rows, run_rows, columns, loud),
        y(rows, run_rows, targets, columns),
        problem(kept(x), kept(y), world) {
    encoding::Fold all;
    for (Index block = 0; block < x.blocks(); ++block) all.push_back({0, x.rows(block)});
    auto parts = encoding::fold_statistics(problem, x, {all}, {.gram = true, .single = true});
    form = std::make_unique<encoding::PrimalForm>(x, parts[0], true, world);
    projected = form->project(parts[0]);
  }
  template <class Source>
  static Source& kept(Source& source) {
    source.keep_all();
    return source;
  }
  parallel::Communicator world = parallel::Communicator::world();
  MadeUpDesign x;
  MadeUpResponses y;
  encoding::RidgeProblem problem;
  std::unique_ptr<encoding::PrimalForm> form;
  encoding::ProjectedTargets projected;
  std::vector<double> alphas = encoding::default_alphas();
};

/// U = X̃ V Λ^-½ for all rows, and the leverages of 15 alphas.
/// @param range  rows n, columns p
void leverages(benchmark::State& state) {
  const Index n = state.range(0), p = state.range(1);
  const Prepared prepared(n, p, 64);
  const double flops = 2.0 * real(n) * real(p) * (real(p) + real(std::ssize(prepared.alphas)));
  time_against_gemm<float>(state, flops, [&] {
    const encoding::Leverages all(prepared.problem, *prepared.form, prepared.alphas, 0);
    benchmark::DoNotOptimize(all.gaps().data());
  });
}

/// The leave-one-out curve of all targets from kept rows of U: choosing the terms, their passes, the sums.
/// @param range  rows n, columns p, targets t, and `loud` of MadeUpDesign: rows of high leverage
void residual_passes(benchmark::State& state) {
  const Index n = state.range(0), p = state.range(1), targets = state.range(2);
  const Prepared prepared(n, p, targets, state.range(3));
  const encoding::Leverages all(prepared.problem, *prepared.form, prepared.alphas, Index{4} << 30);
  const auto curve = [&] {
    return encoding::leave_one_out(prepared.problem, *prepared.form, all, prepared.projected,
                                   prepared.alphas);
  };
  const auto first = curve();
  time_against_gemm<float>(state, 2.0 * real(n) * real(p) * real(targets) * first.products, [&] {
    const auto again = curve();
    benchmark::DoNotOptimize(again.mse.data());
  });
  state.counters["terms"] = first.products;
  state.counters["exact_rows"] = real(first.exact_rows);
  state.counters["bound"] = first.bound;
}

/// Pearson r, R² and errors of all alphas on held-out rows, from their statistics.
/// @param range  columns p, targets t
void held_out_scores(benchmark::State& state) {
  const Index p = state.range(0), targets = state.range(1), n = 4 * p;
  MadeUpDesign x(n, n / 2, p);
  MadeUpResponses y(n, n / 2, targets, p);
  x.keep_all();
  y.keep_all();
  const auto world = parallel::Communicator::world();
  const encoding::RidgeProblem problem(x, y, world);
  const encoding::Fold one{{0, x.rows(0)}, {0, 0}}, other{{0, 0}, {0, x.rows(1)}};
  const auto parts = encoding::fold_statistics(problem, x, {one, other}, {.gram = true, .single = true});
  const encoding::CentredStatistics train(parts[0]);
  const encoding::RidgeAxes axes(train, linalg::eigh(train.gram()));
  const auto alphas = encoding::default_alphas();
  const auto first = encoding::held_out(axes, train, parts[1], alphas);
  // Half of the held-out rows' G in the fit's axes, in blocks of eighths, is 9/16 of it. It is made of G V; targets are
  // projected twice, of the fit's rows and the held-out ones.
  constexpr double half = 9.0 / 16;
  const double flops =
      2.0 * real(p) * real(p) * (real(p) * (1 + half) + real(targets) * (2 + first.products));
  time_against_gemm<double>(state, flops, [&] {
    const auto again = encoding::held_out(axes, train, parts[1], alphas);
    benchmark::DoNotOptimize(again.r.data());
  });
  state.counters["products"] = first.products;
}

// BENCH_ROWS shortens the data of all kernels: for a quick look, not for figures.
Index all_rows() {
  const char* rows = std::getenv("BENCH_ROWS");
  return rows ? std::atoll(rows) : 40000;
}

void add(const char* name, void (*kernel)(benchmark::State&), std::vector<std::vector<Index>> ranges) {
  for (const auto& range : ranges) {
    benchmark::RegisterBenchmark(name, kernel)->Args(range)->Unit(benchmark::kMillisecond)->UseRealTime();
  }
}

}  // namespace

int main(int argc, char** argv) {
  const Index n = all_rows(), most = n < 40000 ? 1000 : 3000;
  add("gram_sum/float", gram_sum<float>, {{n, 1000}, {n, most}});
  add("gram_sum/double", gram_sum<double>, {{n, 1000}, {n, most}});
  add("product_sum/float", product_sum<float>, {{n, 1000, 1000}, {n, most, 4000}});
  add("product_sum/double", product_sum<double>, {{n, 1000, 1000}, {n, most, 4000}});
  add("lagged_statistics", lagged_statistics, {{n, 1000, 1000}});
  add("eigendecomposition", eigendecomposition<double>, {{1000}, {most}});
  add("leverages", leverages, {{n, 1000}, {n, most}});
  add("residual_passes", residual_passes, {{n, 1000, 1000, 0}, {n, most, 4000, 0}, {n, most, 4000, 100}});
  add("held_out_scores", held_out_scores, {{1000, 1000}, {most, 4000}});
  return benchmarks::run(argc, argv);
}
