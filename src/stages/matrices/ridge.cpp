#include "cinecortex/encoding/ridge.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <memory>

#include "cinecortex/core/clock.hpp"
#include "cinecortex/core/log.hpp"
#include "cinecortex/core/memory.hpp"
#include "cinecortex/core/progress.hpp"
#include "cinecortex/parallel/agree.hpp"
#include "inputs.hpp"
#include "model_files.hpp"
#include "outputs.hpp"

namespace cinecortex::stages::matrices {
namespace {

struct Inputs {
  MatrixSource x, y;
};

/// Blocks are what some criteria leave out. For the others they are only portions, which may be small.
bool blocks_matter(const std::string& criterion) {
  return criterion != "loo" && criterion != "gcv";
}

std::unique_ptr<Inputs> open(const RidgeConfig& config) {
  check_output(config.output, {".h5", ".hdf5"}, {config.x, config.y, config.groups});
  const io::MatrixFile x(config.x), y(config.y);
  require_same_rows(x, y);
  auto pieces = read_runs(config.groups, x);
  if (config.design) {
    encoding::require_reach(*config.design, extents(pieces), x.where());
    pieces = usable(pieces, *config.design);
  }
  if (!blocks_matter(config.options.criterion)) {
    const Index delays = config.design ? static_cast<Index>(config.design->delays().size()) : 1;
    constexpr Index many_targets = 16384;  // more of them are fitted some at a time
    pieces = cut(pieces, rows_per_piece(x.columns() * delays + std::min(y.columns(), many_targets)));
  }
  return std::make_unique<Inputs>(
      Inputs{MatrixSource(config.x, pieces, config.design), MatrixSource(config.y, pieces)});
}

encoding::RidgeShape shape_of(const Inputs& inputs, const encoding::RidgeOptions& options,
                              const parallel::Communicator& comm) {
  encoding::RidgeShape shape{.rows = inputs.x.total_rows(),
                             .columns = inputs.x.columns(),
                             .targets = inputs.y.columns(),
                             .alphas = static_cast<Index>(options.alphas.size()),
                             .folds = encoding::fold_count(options),
                             .ranks = comm.size(),
                             .leaves_blocks_out = encoding::leaves_blocks_out(options.criterion),
                             .single = inputs.x.single_precision() && inputs.y.single_precision()};
  for (Index block = 0; block < inputs.x.blocks(); ++block) {
    shape.block_rows = std::max(shape.block_rows, inputs.x.rows(block));
  }
  return shape;
}

/// What will be done, and the memory it takes with what the program holds by now.
std::string plan_of(const encoding::RidgeShape& shape, const encoding::RidgeOptions& options,
                    const encoding::RidgeBudget& budget) {
  const Index at_once = budget.targets_at_once > 0 ? budget.targets_at_once : shape.targets;
  return fmt::format(
      "ridge: {} rows × {} columns on {} targets, {} alphas, criterion {}; {} targets at a time, {} a "
      "rank at most",
      shape.rows, shape.columns, shape.targets, options.alphas.size(), options.criterion, at_once,
      format_bytes(static_cast<double>(resident_bytes()) + encoding::ridge_bytes(shape, budget)));
}

/// What a fit says about itself as a whole.
struct Report {
  std::string form;
  double passes = 0;
  Index exact_rows = 0;
  double bound = 0;
};

std::string describe(const Report& report, const encoding::RidgeShape& shape,
                     const std::vector<double>& alphas, const std::vector<std::int64_t>& counts,
                     const std::string& criterion) {
  std::string text = fmt::format("Ridge of {} rows × {} columns on {} targets, {} form, alpha by {}\n",
                                 shape.rows, shape.columns, shape.targets, report.form, criterion);
  if (criterion == "loo") {
    text += fmt::format(
        "Leave-one-out by {:.1f} passes for {} alphas, {} rows alpha by alpha; certified to {:.1e}\n",
        report.passes, alphas.size(), report.exact_rows, report.bound);
  }
  text += "       alpha   targets\n";
  for (std::size_t a = 0; a < alphas.size(); ++a)
    text += fmt::format("  {:>10g}   {:>7}\n", alphas[a], counts[a]);
  return text;
}

}  // namespace

Summary ridge(const RidgeConfig& config, const parallel::Communicator& comm) {
  const Stopwatch clock;
  const auto inputs = parallel::agree(comm, [&] {
    encoding::check(config.options);
    return open(config);
  });
  const auto& options = config.options;
  // Without delays a design row is the feature row of the same TR.
  const auto design = config.design.value_or(encoding::Design::fir({0}, encoding::Edge::zero));
  const auto digest = job_digest(
      "ridge", {config.x, config.y, config.groups},
      [&](Digest& d) {
        for (const double alpha : options.alphas) d.add(alpha);
        d.add(options.criterion).add(options.measure).add(std::int64_t{options.per_target});
        d.add(static_cast<std::int64_t>(design.edge()));
        for (const Index delay : design.delays()) d.add(std::int64_t{delay});
      },
      comm);
  const auto shape = shape_of(*inputs, options, comm);
  const auto budget = fitting_budget(shape, config.handling.memory_bytes, comm);
  if (comm.root()) log_targets_at_once(budget, shape, config.handling.memory_bytes);
  const auto plan = plan_of(shape, options, budget);
  if (auto summary = nothing_to_do("ridge", config.output, digest, config.handling, plan, comm))
    return *summary;

  RidgeFile file(config.output, shape.targets, options, design, {{digest_attribute, digest}}, comm);
  Report report;
  encoding::fit_ridge(inputs->x, inputs->y, options, budget, comm, [&](const encoding::RidgeFit& fit) {
    file.add(fit, {0, shape.targets});
    report = {fit.form, std::max(report.passes, fit.passes), fit.exact_rows,
              std::max(report.bound, fit.cv_error_bound)};
  });
  file.commit();
  const auto edges = file.edges();
  if (comm.root() && 2 * (edges.low + edges.high) > shape.targets) {
    log::warn("{} of {} targets chose an alpha on the grid's edge ({} smallest, {} largest): widen --alphas",
              edges.low + edges.high, shape.targets, edges.low, edges.high);
  }
  Summary summary{.stage = "ridge", .seconds = clock.seconds(), .done = 1, .outputs = {config.output}};
  summary.text = describe(report, shape, options.alphas, file.chosen(), options.criterion);
  summary.details = {
      {"rows", shape.rows},
      {"columns", shape.columns},
      {"targets", shape.targets},
      {"form", report.form},
      {"alphas", options.alphas},
      {"targets_of_alpha", file.chosen()},
      {"edge_hits", {edges.low, edges.high}},
      {"cv_error_bound", report.bound},
      {"residual_passes", report.passes},
      {"targets_at_once", budget.targets_at_once > 0 ? budget.targets_at_once : shape.targets}};
  return summary;
}

}  // namespace cinecortex::stages::matrices
