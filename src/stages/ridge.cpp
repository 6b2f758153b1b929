#include <fmt/format.h>

#include "cinecortex/core/clock.hpp"
#include "cinecortex/core/interrupt.hpp"
#include "cinecortex/core/log.hpp"
#include "cinecortex/core/progress.hpp"
#include "cinecortex/stages/stages.hpp"
#include "model_files.hpp"
#include "sources.hpp"

namespace cinecortex::stages {
namespace {

struct FitRows {
  std::vector<Presentation> presentations;
  std::vector<std::vector<Index>> times;
};

FitRows fit_rows(const SpaceConfig& space, int subject, const Config& config, const Context& context,
                 const FeatureTable& features) {
  FitRows rows;
  const auto runs = with_features(context.with_fmri(context.split.base, subject), features, space.name);
  for (auto& presentation : presentations(runs, subject, config.experiment.data, features)) {
    auto times = usable_times(presentation, {&space}, features, config.experiment.data);
    if (times.empty()) continue;
    rows.presentations.push_back(presentation);
    rows.times.push_back(std::move(times));
  }
  if (rows.presentations.empty()) {
    throw InputError(fmt::format("space {}, {}: no base run has both features and fMRI (split.base)",
                                 space.name, dataset::layout::subject_name(subject)));
  }
  return rows;
}

/// Presentations of the same run have the same features: leaving one out while the other stays is no test.
void check_blocks(const FitRows& rows, const Experiment& experiment) {
  const auto& criterion = experiment.ridge.criterion;
  if (experiment.data.repeats == dataset::Repeats::average || criterion == "loo" || criterion == "gcv")
    return;
  for (const auto& presentation : rows.presentations) {
    if (presentation.repeat == 0) continue;
    throw InputError(
        fmt::format("ridge.criterion {} leaves whole runs out, but {} is there twice (data.repeats = "
                    "\"keep\") and would be predicted from itself; use data.repeats = \"average\"",
                    criterion, presentation.run->id.task));
  }
}

void warn_about_edges(const encoding::RidgeFit& fit, const SpaceConfig& space, int subject) {
  const Index edge = fit.edge_low + fit.edge_high;
  // A few targets at the edge are normal (parcels without signal want the largest alpha); many are a hint.
  if (edge * 2 <= fit.targets_global) return;
  log::warn(
      "space {}, {}: {} of {} targets chose an alpha on the grid's edge ({} lowest, {} highest); "
      "widen ridge.alphas",
      space.name, dataset::layout::subject_name(subject), edge, fit.targets_global, fit.edge_low,
      fit.edge_high);
}

}  // namespace

Summary ridge(const Config& config, const parallel::Communicator& comm) {
  const Stopwatch clock;
  const Context context = make_context(config, comm);
  const FeatureTable features = load_feature_table(config, context, comm);
  const Digests digests(config, context, features);
  const auto& experiment = config.experiment;
  Summary summary{.stage = "ridge"};
  const auto total = static_cast<double>(experiment.spaces.size() * context.catalogue.subjects.size());
  Progress progress("ridge", total, "model", config.runtime.progress && comm.root());
  for (const auto& space : experiment.spaces) {
    require_current(context.outputs.pca(space.name), digests.pca(space), "pca", comm);
    const auto scores = parallel::agree(comm, [&] {
      return std::make_unique<ScoreReader>(context.outputs.pca(space.name), features, space.name);
    });
    for (const int subject : context.catalogue.subjects) {
      parallel::agree(comm, [] { interrupt::check(); });
      const auto file = context.outputs.ridge(space.name, subject);
      const auto digest = digests.ridge(space, subject);
      summary.outputs.push_back(file);
      progress.add(1);
      if (!config.runtime.force && is_current(file, digest, comm)) {
        ++summary.kept;
        continue;
      }
      const auto rows = fit_rows(space, subject, config, context, features);
      const DesignSource x(*scores, space, experiment.data, rows.presentations, rows.times);
      const ResponseSource y(subject, context.catalogue.targets.at(subject), experiment.data,
                             rows.presentations, rows.times);
      const auto where = fmt::format("space {}, {}", space.name, dataset::layout::subject_name(subject));
      check_blocks(rows, experiment);
      const auto fit =
          naming_failures(where, [&] { return encoding::fit_ridge(x, y, experiment.ridge, comm); });
      if (comm.root()) warn_about_edges(fit, space, subject);
      write_ridge(file, fit, experiment.ridge, space.design,
                  {{digest_attribute, digest},
                   {"space", space.name},
                   {"subject", dataset::layout::subject_name(subject)}},
                  comm);
      ++summary.done;
    }
  }
  progress.finish();
  summary.details["inputs"] = context.fmri_digests;
  summary.seconds = clock.seconds();
  return summary;
}

}  // namespace cinecortex::stages
