#include "cinecortex/encoding/ridge.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <memory>

#include "model_files.hpp"
#include "outputs.hpp"
#include "cinecortex/core/clock.hpp"
#include "cinecortex/core/log.hpp"
#include "cinecortex/parallel/agree.hpp"
#include "inputs.hpp"

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
  if (config.design) pieces = usable(pieces, *config.design);
  if (!blocks_matter(config.options.criterion)) {
    const Index delays = config.design ? static_cast<Index>(config.design->delays().size()) : 1;
    pieces = cut(pieces, rows_per_piece(x.columns() * delays + y.columns()));
  }
  return std::make_unique<Inputs>(
      Inputs{MatrixSource(config.x, pieces, config.design), MatrixSource(config.y, pieces)});
}

/// How often each alpha was chosen, over all ranks.   Collective: over comm.
std::vector<std::int64_t> count_alphas(const encoding::RidgeFit& fit, const std::vector<double>& alphas,
                                       const parallel::Communicator& comm) {
  std::vector<std::int64_t> counts(alphas.size(), 0);
  for (std::size_t a = 0; a < alphas.size(); ++a) counts[a] = (fit.alpha.array() == alphas[a]).count();
  comm.sum(std::span(counts));
  return counts;
}

std::string describe(const encoding::RidgeFit& fit, Index columns, const std::vector<double>& alphas,
                     const std::vector<std::int64_t>& counts, const std::string& criterion) {
  std::string text = fmt::format("Ridge of {} rows × {} columns on {} targets, {} form, alpha by {}\n",
                                 fit.rows, columns, fit.targets_global, fit.form, criterion);
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
        d.add(options.criterion).add(std::int64_t{options.per_target});
        d.add(static_cast<std::int64_t>(design.edge()));
        for (const Index delay : design.delays()) d.add(std::int64_t{delay});
      },
      comm);
  const auto plan = fmt::format("ridge: {} rows × {} columns on {} targets, {} alphas, criterion {}",
                                inputs->x.total_rows(), inputs->x.columns(), inputs->y.columns(),
                                options.alphas.size(), options.criterion);
  if (auto summary = nothing_to_do("ridge", config.output, digest, config.handling, plan, comm))
    return *summary;

  const auto fit = encoding::fit_ridge(inputs->x, inputs->y, options, comm);
  write_ridge(config.output, fit, options, design, {{digest_attribute, digest}}, comm);

  const auto counts = count_alphas(fit, options.alphas, comm);
  if (comm.root() && 2 * (fit.edge_low + fit.edge_high) > fit.targets_global) {
    log::warn("{} of {} targets chose an alpha on the grid's edge ({} smallest, {} largest): widen --alphas",
              fit.edge_low + fit.edge_high, fit.targets_global, fit.edge_low, fit.edge_high);
  }
  Summary summary{.stage = "ridge", .seconds = clock.seconds(), .done = 1, .outputs = {config.output}};
  summary.text = describe(fit, inputs->x.columns(), options.alphas, counts, options.criterion);
  summary.details = {{"rows", fit.rows},
                     {"columns", inputs->x.columns()},
                     {"targets", fit.targets_global},
                     {"form", fit.form},
                     {"alphas", options.alphas},
                     {"targets_of_alpha", counts},
                     {"edge_hits", {fit.edge_low, fit.edge_high}}};
  return summary;
}

}  // namespace cinecortex::stages::matrices
