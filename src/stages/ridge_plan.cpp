#include "ridge_plan.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace cinecortex::stages {
namespace {

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

}  // namespace

Index FitRows::total() const {
  Index rows = 0;
  for (const auto& of_run : times) rows += std::ssize(of_run);
  return rows;
}

bool FitRows::same_design(const FitRows& other) const {
  return times == other.times &&
         std::equal(shown.begin(), shown.end(), other.shown.begin(), other.shown.end(),
                    [](const Presentation& a, const Presentation& b) {
                      return a.run->id.task == b.run->id.task && a.repeat == b.repeat && a.rows == b.rows;
                    });
}

FitRows fit_rows(const SpaceConfig& space, int subject, const Config& config, const Context& context,
                 const FeatureTable& features) {
  FitRows rows;
  const auto runs = with_features(context.with_fmri(context.split.base, subject), features, space.name);
  for (auto& presentation : presentations(runs, subject, config.experiment.data, features)) {
    if (!trimmed(presentation.rows, config.experiment.data).empty()) rows.shown.push_back(presentation);
    auto times = usable_times(presentation, {&space}, features, config.experiment.data);
    if (times.empty()) continue;
    rows.presentations.push_back(presentation);
    rows.times.push_back(std::move(times));
  }
  encoding::require_reach(space.design, extents(rows.shown, space.name, features, config.experiment.data),
                          "space " + space.name);
  if (rows.presentations.empty()) {
    throw InputError(fmt::format("space {}, {}: no base run has both features and fMRI (split.base)",
                                 space.name, dataset::layout::subject_name(subject)));
  }
  check_blocks(rows, config.experiment);
  return rows;
}

std::vector<Cohort> cohorts(const std::map<int, FitRows>& of_subjects, bool per_target) {
  std::vector<Cohort> found;
  for (const auto& entry : of_subjects) {
    const FitRows& rows = entry.second;  // clang does not let a lambda see a name bound by [subject, rows]
    const auto same = std::find_if(found.begin(), found.end(),
                                   [&](const Cohort& c) { return per_target && c.rows.same_design(rows); });
    if (same == found.end()) {
      found.push_back({rows, {entry.first}});
    } else {
      same->subjects.push_back(entry.first);
    }
  }
  return found;
}

std::string name_of(const SpaceConfig& space, const Cohort& cohort) {
  std::vector<std::string> names;
  for (const int subject : cohort.subjects) names.push_back(dataset::layout::subject_name(subject));
  return fmt::format("space {}, {}", space.name, fmt::join(names, " "));
}

encoding::RidgeShape FitPlan::holding(Index groups) const {
  auto held = shape;
  held.folds = std::max(shape.folds, groups);
  return held;
}

FitPlan plan_fit(const Cohort& cohort, const SpaceConfig& space, Index components, const Config& config,
                 const Context& context, const FeatureTable& features, const parallel::Communicator& comm) {
  const auto& experiment = config.experiment;
  FitPlan plan{.options = experiment.ridge,
               .shape = {.rows = cohort.rows.total(),
                         .columns = space.design.columns(components),
                         .alphas = static_cast<Index>(experiment.ridge.alphas.size()),
                         .ranks = comm.size()},
               .runs = statistics_runs(cohort.rows.shown, experiment),
               .file_bytes = {}};
  plan.options.season_of = seasons_of(cohort.rows.presentations);
  plan.shape.folds = encoding::fold_count(plan.options);
  plan.shape.leaves_blocks_out = encoding::leaves_blocks_out(plan.options.criterion);
  const auto content = statistics_content(space.design, components, plan.runs);
  plan.shape.edge_rows = encoding::edge_rows(content.delays, std::ssize(content.runs));
  plan.shape.components = components;
  for (const int subject : cohort.subjects) {
    const Index targets = context.catalogue.targets.at(subject);
    plan.shape.targets += targets;
    plan.file_bytes.push_back(statistics_bytes(content, targets));
  }
  for (const auto& presentation : cohort.rows.presentations) {
    plan.shape.block_rows =
        std::max(plan.shape.block_rows, features.at(space.name).at(presentation.run->id.task).rows);
  }
  plan.primal = plan.shape.columns <= plan.shape.rows;
  const double memory = comm.min(config.runtime.memory_bytes);
  const bool roomy = memory <= 0 || encoding::ridge_bytes(plan.holding(plan.runs.groups.count), {}) <= memory;
  plan.keeps = plan.primal && (roomy || experiment.statistics == StatisticsPolicy::keep) &&
               keeps_statistics(experiment.statistics,
                                *std::max_element(plan.file_bytes.begin(), plan.file_bytes.end()));
  return plan;
}

}  // namespace cinecortex::stages
