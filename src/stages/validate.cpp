#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "cinecortex/core/clock.hpp"
#include "cinecortex/core/memory.hpp"
#include "cinecortex/core/progress.hpp"
#include "cinecortex/stages/stages.hpp"
#include "extraction_plan.hpp"
#include "kept_statistics.hpp"
#include "missing_models.hpp"
#include "model_files.hpp"
#include "sweep_plan.hpp"
#include "time_model.hpp"

namespace cinecortex::stages {
namespace {

/// Sizes of one space's statistics, before anything is computed.
struct SpacePlan {
  const SpaceConfig* space = nullptr;
  Index width = 0;       ///< d
  Index fit_rows = 0;    ///< rows of the PCA fit
  Index base_rows = 0;   ///< n, TRs of the base fit with features (of the subject that has most)
  Index components = 0;  ///< k
  Index columns = 0;     ///< p
  encoding::PcaShape pca;
  encoding::PcaSolver solver =
      encoding::PcaSolver::automatic;  ///< that will run; `automatic` if there is nothing to fit
};

/// Rows of a space in a run.
Index rows_in(const ExtractionPlan& plan, const SpaceConfig& space, const std::string& run) {
  for (const auto& work : plan.work) {
    if (work.run->id.task != run) continue;
    for (const auto& part : work.groups) {
      for (const auto& output : plan.groups[part.group].outputs) {
        if (output.space == &space) return part.rows;
      }
    }
  }
  return 0;
}

Index width_of(const ExtractionPlan& plan, const SpaceConfig& space) {
  for (const auto& group : plan.groups) {
    for (const auto& output : group.outputs) {
      if (output.space == &space) return group.extractor->readings()[output.reading].width;
    }
  }
  return 0;
}

Index every(Index rows, Index step) {
  return (rows + step - 1) / step;
}

/// @param memory_bytes  that a rank may use for a fit
SpacePlan plan_space(const SpaceConfig& space, const ExtractionPlan& plan, const Context& context,
                     const Config& config, double memory_bytes, int ranks) {
  SpacePlan p{.space = &space, .width = width_of(plan, space)};
  Index longest = 0;
  for (const auto* run : space.pca.fit_all ? context.runs : context.of(context.split.base)) {
    const Index rows = rows_in(plan, space, run->id.task);
    p.fit_rows += every(rows, space.pca.options.fit_every);
    longest = std::max(longest, rows);
  }
  for (const int subject : context.catalogue.subjects) {
    Index rows = 0;
    for (const auto* run : context.with_fmri(context.split.base, subject)) {
      const Index trim = config.experiment.data.trim_tr[0] + config.experiment.data.trim_tr[1];
      if (rows_in(plan, space, run->id.task) > 0) rows += std::max<Index>(0, run->rows(subject) - trim);
    }
    p.base_rows = std::max(p.base_rows, rows);
  }
  const Index most = std::min(p.width, p.fit_rows - 1);
  const Index wanted = space.pca.options.components;
  if (wanted > most) {
    throw InputError(
        fmt::format("space {}: pca.components = {}, but there are {} features and {} fit rows: allowed "
                    "are 1 to {}",
                    space.name, wanted, p.width, p.fit_rows, std::max<Index>(most, 0)));
  }
  p.components = wanted > 0 ? wanted : std::max<Index>(most, 0);
  p.columns = space.design.columns(p.components);
  p.pca = {.rows = p.fit_rows,
           .columns = p.width,
           .components = p.components,
           .single = true,
           .block_rows = longest};
  if (p.components > 0) {
    p.solver = naming_failures("space " + space.name, [&] {
      return encoding::choose_solver(space.pca.options.solver, p.pca, ranks, memory_bytes);
    });
  }
  return p;
}

/// One ridge fit of a space: all subjects' targets at once, if they share every run.
encoding::RidgeShape ridge_shape(const SpacePlan& p, Index targets, const Config& config, Index longest_run,
                                 int ranks) {
  return {.rows = p.base_rows,
          .columns = p.columns,
          .targets = targets,
          .alphas = static_cast<Index>(config.experiment.ridge.alphas.size()),
          .block_rows = longest_run,
          .ranks = ranks};
}

std::string role_line(const std::string& role, const std::vector<std::string>& tasks,
                      const Context& context) {
  Index rows = 0, shown = 0;
  for (const int subject : context.catalogue.subjects) {
    for (const auto* run : context.of(tasks)) {
      rows += run->rows(subject);
      shown += run->fmri.contains(subject) ? 1 : 0;
    }
  }
  return fmt::format("  {:<6} {:>4} runs, {:>8} TRs over {} subjects, fMRI for {} of {} run × subject\n",
                     role, tasks.size(), rows, context.catalogue.subjects.size(), shown,
                     tasks.size() * context.catalogue.subjects.size());
}

/// Most fold groups that a subject has in a space.
Index sweep_folds(const SweepFolds& folds, const SpaceConfig& space, const ExtractionPlan& plan,
                  const Context& context) {
  Index most = 0;
  for (const int subject : context.catalogue.subjects) {
    std::vector<std::string> runs, seasons;
    for (const auto* run : context.with_fmri(context.split.base, subject)) {
      if (rows_in(plan, space, run->id.task) == 0) continue;
      runs.push_back(run->id.task);
      seasons.push_back(run->id.group());
    }
    const auto where = fmt::format("space {}, {}", space.name, dataset::layout::subject_name(subject));
    naming_failures(where, [&] { most = std::max(most, sweep_groups(folds, runs, seasons).count); });
  }
  return most;
}

/// What `sweep` would do, or nothing.
std::string describe_sweep(const Config& config, const Context& context, const ExtractionPlan& plan,
                           const std::vector<SpacePlan>& spaces, Index targets,
                           const parallel::Communicator& comm) {
  if (!config.experiment.sweep) return "";
  const auto& sweep = *config.experiment.sweep;
  std::string text;
  for (const auto& p : spaces) {
    if (!sweep.takes(p.space->name)) continue;
    const auto cases = sweep_cases(sweep, p.space->design, p.components, "space " + p.space->name);
    const auto points = sweep_points(cases);
    Index widest = 0;
    for (const auto& point : points) widest = std::max(widest, point.columns());
    const Index folds = sweep_folds(sweep.folds, *p.space, plan, context);
    const Index local = partition(targets, comm.size(), 0).size();
    text += fmt::format(
        "sweep: {:<16} {} configurations × {} subjects, {} folds, up to {} columns; {} a rank at most\n",
        p.space->name, cases.size(), context.catalogue.subjects.size(), folds, widest,
        format_bytes(encoding::sweep_bytes(points, folds, local)));
  }
  return text;
}

/// What `ridge` keeps of its sums.
std::string describe_statistics(const Config& config, const Context& context, const ExtractionPlan& plan,
                                const std::vector<SpacePlan>& spaces) {
  Index kept = 0;
  double bytes = 0, largest = 0;
  for (const auto& p : spaces) {
    double of_space = 0, largest_of_space = 0;
    for (const int subject : context.catalogue.subjects) {
      std::vector<std::string> runs, seasons;
      for (const auto* run : context.with_fmri(context.split.base, subject)) {
        if (rows_in(plan, *p.space, run->id.task) == 0) continue;
        runs.push_back(run->id.task);
        seasons.push_back(run->id.group());
      }
      auto delays = p.space->design.delays();
      std::reverse(delays.begin(), delays.end());
      const StatisticsContent content{.delays = delays,
                                      .components = p.components,
                                      .runs = runs,
                                      .group_of = statistics_groups(runs, seasons, config.experiment).of};
      const double file = statistics_bytes(content, context.catalogue.targets.at(subject));
      of_space += file;
      largest_of_space = std::max(largest_of_space, file);
    }
    largest = std::max(largest, largest_of_space);
    if (!keeps_statistics(config.experiment.statistics, largest_of_space)) continue;
    ++kept;
    bytes += of_space;
  }
  return fmt::format("statistics: kept for {} of {} spaces, {} in all; up to {} a file (output.statistics)\n",
                     kept, spaces.size(), format_bytes(bytes), format_bytes(largest));
}

std::string describe(const Config& config, const Context& context, const ExtractionPlan& plan,
                     const std::vector<SpacePlan>& spaces, const parallel::Communicator& comm) {
  const auto& experiment = config.experiment;
  std::string text =
      fmt::format("experiment {}: {} subjects, {} spaces, {} runs\n", experiment.name,
                  context.catalogue.subjects.size(), experiment.spaces.size(), context.runs.size());
  text += role_line("base", context.split.base, context) + role_line("stack", context.split.stack, context) +
          role_line("test", context.split.test, context);
  Index chunks = 0, tr = 0, longest = 0;
  for (const auto& task : plan.tasks) {
    chunks += task.rows.empty() ? 0 : 1;
    tr += task.rows.size();
  }
  for (const auto* run : context.runs) {
    for (const int subject : context.catalogue.subjects) longest = std::max(longest, run->rows(subject));
  }
  text += fmt::format("extract: {} files there, {} to make: {} TRs in {} chunks, {:.1f} chunks a rank\n",
                      plan.current_files, plan.missing_files, tr, chunks,
                      static_cast<double>(chunks) / comm.size());
  double flops = 0, bytes = 0, pca_bytes = 0;
  Index targets = 0, all_targets = 0;
  for (const auto& [subject, count] : context.catalogue.targets) {
    targets = std::max(targets, count);
    all_targets += count;
  }
  for (const auto& p : spaces) {
    text += fmt::format(
        "  {:<16} {:>7} features → {:>5} components × {} delays = {:>6} columns, {} base TRs\n",
        p.space->name, p.width, p.components, p.space->design.delays().size(), p.columns, p.base_rows);
    if (p.components > 0) pca_bytes = std::max(pca_bytes, encoding::pca_bytes(p.solver, p.pca, comm.size()));
    const auto subjects = static_cast<double>(context.catalogue.subjects.size());
    flops +=
        subjects * encoding::ridge_operations(ridge_shape(p, targets, config, longest, comm.size())).total();
    const auto shape = ridge_shape(p, all_targets, config, longest, comm.size());
    const auto budget = config.runtime.memory_bytes > 0
                            ? encoding::ridge_budget(shape, memory_for_fit(config.runtime.memory_bytes))
                            : encoding::RidgeBudget{};
    bytes = std::max(bytes, static_cast<double>(resident_bytes()) + encoding::ridge_bytes(shape, budget));
  }
  text += fmt::format("pca: {} a rank at most\n",
                      format_bytes(static_cast<double>(resident_bytes()) + pca_bytes));
  text += fmt::format("ridge: {:.3g} TFLOP in all, {:.3g} a rank; {} a rank at most\n", flops / 1e12,
                      flops / 1e12 / comm.size(), format_bytes(bytes));
  text += describe_statistics(config, context, plan, spaces);
  text += describe_sweep(config, context, plan, spaces, targets, comm);
  text += fmt::format("outputs: {}\n", experiment.output.string());
  return text;
}

/// Folds of the ridge's criterion; 1 if it has none.
Index criterion_folds(const Config& config, const Context& context) {
  const auto& criterion = config.experiment.ridge.criterion;
  if (const Index folds = encoding::kfold_count(criterion)) return folds;
  if (criterion != "leave-one-season-out") return 1;
  std::set<std::string> seasons;
  for (const auto* run : context.of(context.split.base)) seasons.insert(run->id.group());
  return static_cast<Index>(seasons.size());
}

/// Targets that are fitted together: of all subjects that saw the same base runs.
std::vector<Index> cohort_targets(const Config& config, const Context& context) {
  std::map<std::vector<const dataset::Run*>, Index> together;
  std::vector<Index> apart;
  for (const auto& [subject, targets] : context.catalogue.targets) {
    apart.push_back(targets);
    together[context.with_fmri(context.split.base, subject)] += targets;
  }
  if (!config.experiment.ridge.per_target) return apart;
  std::vector<Index> cohorts;
  cohorts.reserve(together.size());
  for (const auto& [runs, targets] : together) cohorts.push_back(targets);
  return cohorts;
}

struct StageTimes {
  double pca_s = 0, ridge_s = 0, predict_s = 0, sweep_s = 0;
};

StageTimes stage_times(const TimeModel& model, const Config& config, const Context& context,
                       const ExtractionPlan& extraction, const std::vector<SpacePlan>& spaces, int ranks) {
  const auto& experiment = config.experiment;
  StageTimes times;
  for (const auto& p : spaces) {
    const auto shape = [&](Index targets, Index folds) {
      auto sizes = ridge_shape(p, targets, config, 0, ranks);
      sizes.folds = folds;
      return sizes;
    };
    if (p.components > 0) times.pca_s += model.pca(p.solver, p.pca);
    for (const Index targets : cohort_targets(config, context)) {
      times.ridge_s += model.ridge(shape(targets, criterion_folds(config, context)));
    }
    std::vector<Index> swept;
    if (experiment.sweep && experiment.sweep->takes(p.space->name)) {
      const auto cases =
          sweep_cases(*experiment.sweep, p.space->design, p.components, "space " + p.space->name);
      for (const auto& tried : cases) swept.push_back(tried.columns());
    }
    const Index folds =
        swept.empty() ? 0 : sweep_folds(experiment.sweep->folds, *p.space, extraction, context);
    for (const auto& [subject, targets] : context.catalogue.targets) {
      Index rows = 0;
      for (const auto* run : context.with_fmri(context.split.stack, subject)) rows += run->rows(subject);
      for (const auto* run : context.of(context.split.test)) rows += run->rows(subject);
      times.predict_s += model.predictions(rows, p.columns, targets);
      if (!swept.empty()) times.sweep_s += model.sweep(shape(targets, folds), swept);
    }
  }
  return times;
}

/// How long the stages take, roughly.   Collective: over comm.
void add_times(Summary& summary, const Config& config, const Context& context,
               const ExtractionPlan& extraction, const std::vector<SpacePlan>& spaces,
               const parallel::Communicator& comm) {
  const MachineSpeed speed = measure_speed(comm);
  const auto times =
      stage_times(TimeModel(speed, comm.size()), config, context, extraction, spaces, comm.size());
  summary.text += fmt::format(
      "times: pca {}, ridge {}, stack and predict {}{}\n"
      "  Roughly, for all of it, by {} ranks as fast as here and now ({:.0f} GFLOP/s each in float32, {:.0f} "
      "in "
      "float64), files at an\n"
      "  assumed {:g} GB/s. Not in it: extract, whose progress says after the first chunks; score's "
      "permutations.\n",
      format_duration(times.pca_s), format_duration(times.ridge_s), format_duration(times.predict_s),
      times.sweep_s > 0 ? ", sweep " + format_duration(times.sweep_s) : "", comm.size(),
      speed.single_flops / 1e9, speed.double_flops / 1e9, TimeModel::file_bytes_a_second / 1e9);
  summary.details["seconds"] = {{"pca", times.pca_s}, {"ridge", times.ridge_s}, {"predict", times.predict_s}};
  if (times.sweep_s > 0) summary.details["seconds"]["sweep"] = times.sweep_s;
  summary.details["speed"] = {{"single_flops", speed.single_flops}, {"double_flops", speed.double_flops}};
}

Summary examine(const Config& config, const parallel::Communicator& comm, bool with_times) {
  const Stopwatch clock;
  const Context context = make_context(config, comm);
  const ExtractionPlan plan = plan_extraction(config, context, comm);
  const double memory = comm.min(memory_for_fit(config.runtime.memory_bytes));
  std::vector<SpacePlan> spaces;
  for (const auto& space : config.experiment.spaces)
    spaces.push_back(plan_space(space, plan, context, config, memory, comm.size()));

  Summary summary{.stage = "validate"};
  summary.text = describe(config, context, plan, spaces, comm);
  summary.details = {
      {"runs", {{"base", context.split.base}, {"stack", context.split.stack}, {"test", context.split.test}}},
      {"files_current", plan.current_files},
      {"files_to_make", plan.missing_files}};
  for (const auto& p : spaces) {
    summary.details["spaces"][p.space->name] = {{"features", p.width},
                                                {"components", p.components},
                                                {"columns", p.columns},
                                                {"base_rows", p.base_rows}};
  }
  if (with_times) add_times(summary, config, context, plan, spaces, comm);
  summary.seconds = clock.seconds();
  return summary;
}

}  // namespace

Summary validate(const Config& config, const parallel::Communicator& comm) {
  return examine(config, comm, true);
}

Summary plan(const Config& config, const parallel::Communicator& comm) {
  return examine(config, comm, false);
}

}  // namespace cinecortex::stages
