#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "cinecortex/core/clock.hpp"
#include "cinecortex/core/memory.hpp"
#include "cinecortex/core/progress.hpp"
#include "cinecortex/stages/stages.hpp"
#include "extraction_plan.hpp"
#include "extraction_time.hpp"
#include "missing_models.hpp"
#include "model_files.hpp"
#include "ridge_plan.hpp"
#include "sweep_plan.hpp"
#include "time_model.hpp"

namespace cinecortex::stages {
namespace {

/// One space's sizes and fits, before anything is computed.
struct SpacePlan {
  const SpaceConfig* space = nullptr;
  Index base_rows = 0;  ///< n, TRs of the base fit (of the subject that has most)
  Index columns = 0;    ///< p
  std::vector<Cohort> cohorts;
  std::vector<FitPlan> fits;  ///< of each cohort
  encoding::PcaShape pca;
  encoding::PcaSolver solver =
      encoding::PcaSolver::automatic;  ///< that will run; `automatic` if there is nothing to fit
};

Index every(Index rows, Index step) {
  return (rows + step - 1) / step;
}

/// @param memory_bytes  that a rank may use for a fit    Collective: over comm.
SpacePlan plan_space(const SpaceConfig& space, const FeatureTable& features, const Context& context,
                     const Config& config, double memory_bytes, const parallel::Communicator& comm) {
  const auto& files = features.at(space.name);
  SpacePlan p{.space = &space, .cohorts = {}, .fits = {}, .pca = {}};
  p.pca = {.columns = files.begin()->second.width, .single = true};
  for (const auto* run : space.pca.fit_all ? context.runs : context.of(context.split.base)) {
    const Index rows = files.at(run->id.task).rows;
    p.pca.rows += every(rows, space.pca.options.fit_every);
    p.pca.block_rows = std::max(p.pca.block_rows, rows);
  }
  const Index most = std::min(p.pca.columns, p.pca.rows - 1);
  const Index wanted = space.pca.options.components;
  if (wanted > most) {
    throw InputError(
        fmt::format("space {}: pca.components = {}, but there are {} features and {} fit rows: allowed "
                    "are 1 to {}",
                    space.name, wanted, p.pca.columns, p.pca.rows, std::max<Index>(most, 0)));
  }
  p.pca.components = wanted > 0 ? wanted : std::max<Index>(most, 0);
  p.columns = space.design.columns(p.pca.components);
  if (p.pca.components > 0) {
    p.solver = naming_failures("space " + space.name, [&] {
      return encoding::choose_solver(space.pca.options.solver, p.pca, comm.size(), memory_bytes);
    });
  }
  std::map<int, FitRows> rows;
  for (const int subject : context.catalogue.subjects) {
    rows[subject] = fit_rows(space, subject, config, context, features);
    p.base_rows = std::max(p.base_rows, rows[subject].total());
  }
  p.cohorts = cohorts(rows, config.experiment.ridge.per_target);
  for (const auto& cohort : p.cohorts) {
    p.fits.push_back(plan_fit(cohort, space, p.pca.components, config, context, features, comm));
  }
  return p;
}

/// Most bytes of a rank during any fit, beside what it holds by now.
/// @throws InputError, naming the fit, where even a few targets need more than is allowed.   Collective: over comm.
double fit_bytes(const std::vector<SpacePlan>& spaces, const Config& config,
                 const parallel::Communicator& comm) {
  double bytes = 0;
  for (const auto& p : spaces) {
    for (std::size_t i = 0; i < p.fits.size(); ++i) {
      const auto& fit = p.fits[i];
      const auto shape = fit.holding(fit.keeps ? fit.runs.groups.count : 0);
      const auto budget = naming_failures(name_of(*p.space, p.cohorts[i]), [&] {
        return fitting_budget(shape, config.runtime.memory_bytes, comm);
      });
      bytes = std::max(bytes, encoding::ridge_bytes(shape, budget));
    }
  }
  return bytes;
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

/// The most of everything that a subject has in a space.
encoding::SweepShape sweep_shape(const Experiment& experiment, const SpaceConfig& space,
                                 const FeatureTable& features, const Context& context, int ranks) {
  const SweepFolds& folds = experiment.sweep->folds;
  encoding::SweepShape most{.alphas = std::ssize(experiment.ridge.alphas), .ranks = ranks};
  for (const int subject : context.catalogue.subjects) {
    std::vector<std::string> runs, seasons;
    for (const auto* run :
         with_features(context.with_fmri(context.split.base, subject), features, space.name)) {
      runs.push_back(run->id.task);
      seasons.push_back(run->id.group());
      most.run_rows = std::max(most.run_rows, features.at(space.name).at(run->id.task).rows);
    }
    most.runs = std::max<Index>(most.runs, std::ssize(runs));
    most.targets = std::max(most.targets, context.catalogue.targets.at(subject));
    const auto where = fmt::format("space {}, {}", space.name, dataset::layout::subject_name(subject));
    naming_failures(where,
                    [&] { most.groups = std::max(most.groups, sweep_groups(folds, runs, seasons).count); });
  }
  return most;
}

/// What `sweep` would do, or nothing.
std::string describe_sweep(const Config& config, const Context& context, const FeatureTable& features,
                           const std::vector<SpacePlan>& spaces, const parallel::Communicator& comm) {
  if (!config.experiment.sweep) return "";
  const auto& sweep = *config.experiment.sweep;
  std::string text;
  for (const auto& p : spaces) {
    if (!sweep.takes(p.space->name)) continue;
    const auto cases = sweep_cases(sweep, p.space->design, p.pca.components, "space " + p.space->name);
    for (const auto& cohort : p.cohorts) {
      require_reach(cases, extents(cohort.rows.shown, p.space->name, features, config.experiment.data),
                    "[sweep] on space " + p.space->name);
    }
    const auto points = sweep_points(cases);
    Index widest = 0;
    for (const auto& point : points) widest = std::max(widest, point.columns());
    const auto shape = sweep_shape(config.experiment, *p.space, features, context, comm.size());
    text += fmt::format(
        "sweep: {:<16} {} configurations × {} subjects, {} folds, up to {} columns; {} a rank at most\n",
        p.space->name, cases.size(), context.catalogue.subjects.size(), shape.groups, widest,
        format_bytes(encoding::sweep_bytes(points, shape)));
  }
  return text;
}

/// What `ridge` keeps of its sums.
std::string describe_statistics(const std::vector<SpacePlan>& spaces) {
  Index kept = 0;
  double bytes = 0, largest = 0;
  for (const auto& p : spaces) {
    double of_space = 0;
    for (const auto& fit : p.fits) {
      for (const double file : fit.file_bytes) {
        of_space += fit.keeps ? file : 0;
        largest = std::max(largest, file);
      }
    }
    kept += of_space > 0 ? 1 : 0;
    bytes += of_space;
  }
  return fmt::format("statistics: kept for {} of {} spaces, {} in all; up to {} a file (output.statistics)\n",
                     kept, spaces.size(), format_bytes(bytes), format_bytes(largest));
}

/// @param bytes  of a fit, on one rank
std::string describe(const Config& config, const Context& context, const ExtractionPlan& plan,
                     const FeatureTable& features, const std::vector<SpacePlan>& spaces, double bytes,
                     const parallel::Communicator& comm) {
  const auto& experiment = config.experiment;
  std::string text =
      fmt::format("experiment {}: {} subjects, {} spaces, {} runs\n", experiment.name,
                  context.catalogue.subjects.size(), experiment.spaces.size(), context.runs.size());
  text += role_line("base", context.split.base, context) + role_line("stack", context.split.stack, context) +
          role_line("test", context.split.test, context);
  Index chunks = 0, tr = 0;
  for (const auto& task : plan.tasks) {
    chunks += task.rows.empty() ? 0 : 1;
    tr += task.rows.size();
  }
  text += fmt::format("extract: {} files there, {} to make: {} TRs in {} chunks, {:.1f} chunks a rank\n",
                      plan.current_files, plan.missing_files, tr, chunks,
                      static_cast<double>(chunks) / comm.size());
  double flops = 0, pca_bytes = 0;
  for (const auto& p : spaces) {
    text +=
        fmt::format("  {:<16} {:>7} features → {:>5} components × {} delays = {:>6} columns, {} base TRs\n",
                    p.space->name, p.pca.columns, p.pca.components, p.space->design.delays().size(),
                    p.columns, p.base_rows);
    if (p.pca.components > 0)
      pca_bytes = std::max(pca_bytes, encoding::pca_bytes(p.solver, p.pca, comm.size()));
    for (const auto& fit : p.fits) flops += encoding::ridge_operations(fit.shape).total();
  }
  text += fmt::format("pca: {} a rank at most\n",
                      format_bytes(static_cast<double>(resident_bytes()) + pca_bytes));
  text +=
      fmt::format("ridge: {:.3g} TFLOP in all, {:.3g} a rank; {} a rank at most\n", flops / 1e12,
                  flops / 1e12 / comm.size(), format_bytes(static_cast<double>(resident_bytes()) + bytes));
  text += describe_statistics(spaces);
  text += describe_sweep(config, context, features, spaces, comm);
  text += fmt::format("outputs: {}\n", experiment.output.string());
  return text;
}

struct StageTimes {
  double pca_s = 0, ridge_s = 0, predict_s = 0, sweep_s = 0;
};

StageTimes stage_times(const TimeModel& model, const Config& config, const Context& context,
                       const FeatureTable& features, const std::vector<SpacePlan>& spaces) {
  const auto& experiment = config.experiment;
  StageTimes times;
  for (const auto& p : spaces) {
    if (p.pca.components > 0) times.pca_s += model.pca(p.solver, p.pca);
    for (const auto& fit : p.fits) times.ridge_s += model.ridge(fit.shape);
    std::vector<Index> swept;
    if (experiment.sweep && experiment.sweep->takes(p.space->name)) {
      const auto cases =
          sweep_cases(*experiment.sweep, p.space->design, p.pca.components, "space " + p.space->name);
      for (const auto& tried : cases) swept.push_back(tried.columns());
    }
    const Index folds = swept.empty() ? 0 : sweep_shape(experiment, *p.space, features, context, 1).groups;
    for (const auto& [subject, targets] : context.catalogue.targets) {
      Index rows = 0;
      for (const auto* run : context.with_fmri(context.split.stack, subject)) rows += run->rows(subject);
      for (const auto* run : context.of(context.split.test)) rows += run->rows(subject);
      times.predict_s += model.predictions(rows, p.columns, targets);
      if (swept.empty()) continue;
      times.sweep_s +=
          model.sweep({.rows = p.base_rows, .columns = p.columns, .targets = targets, .folds = folds}, swept);
    }
  }
  return times;
}

/// How long the stages take, roughly.   Collective: over comm.
void add_times(Summary& summary, const Config& config, const Context& context,
               const ExtractionPlan& extraction, const FeatureTable& features,
               const std::vector<SpacePlan>& spaces, const parallel::Communicator& comm) {
  const auto extract = extraction_time(extraction, context.outputs, config.runtime.decode_ahead, comm);
  const MachineSpeed speed = measure_speed(comm);
  const auto times = stage_times(TimeModel(speed, comm.size()), config, context, features, spaces);
  const bool some = extract.seconds > 0;
  summary.text += fmt::format(
      "times: {}pca {}, ridge {}, stack and predict {}{}\n"
      "  Roughly, for all of it, by {} as fast as here and now ({:.0f} GFLOP/s each in float32, {:.0f} "
      "in float64), files at an\n"
      "  assumed {:g} GB/s{}.\n  Not in it: {}score's permutations.\n",
      some ? fmt::format("extract {}, ", format_duration(extract.seconds)) : "", format_duration(times.pca_s),
      format_duration(times.ridge_s), format_duration(times.predict_s),
      times.sweep_s > 0 ? ", sweep " + format_duration(times.sweep_s) : "",
      fmt::format("{} rank{}", comm.size(), comm.size() == 1 ? "" : "s"), speed.single_flops / 1e9,
      speed.double_flops / 1e9, TimeModel::file_bytes_a_second / 1e9,
      some ? "; what extract lacks, at the pace of what is there" : "",
      extract.unknown.empty() ? ""
                              : fmt::format("extract of {}, whose progress says after the first chunks; ",
                                            fmt::join(extract.unknown, ", ")));
  summary.details["seconds"] = {{"pca", times.pca_s}, {"ridge", times.ridge_s}, {"predict", times.predict_s}};
  if (some) summary.details["seconds"]["extract"] = extract.seconds;
  if (times.sweep_s > 0) summary.details["seconds"]["sweep"] = times.sweep_s;
  summary.details["speed"] = {{"single_flops", speed.single_flops}, {"double_flops", speed.double_flops}};
}

Summary examine(const Config& config, const parallel::Communicator& comm, bool with_times) {
  const Stopwatch clock;
  const Context context = make_context(config, comm);
  const ExtractionPlan plan = plan_extraction(config, context, comm);
  const FeatureTable features = planned_features(plan);
  const double memory = comm.min(memory_for_fit(config.runtime.memory_bytes));
  std::vector<SpacePlan> spaces;
  for (const auto& space : config.experiment.spaces)
    spaces.push_back(plan_space(space, features, context, config, memory, comm));
  const double bytes = fit_bytes(spaces, config, comm);

  Summary summary{.stage = "validate"};
  summary.text = describe(config, context, plan, features, spaces, bytes, comm);
  summary.details = {
      {"runs", {{"base", context.split.base}, {"stack", context.split.stack}, {"test", context.split.test}}},
      {"files_current", plan.current_files},
      {"files_to_make", plan.missing_files},
      {"fit_bytes", bytes}};
  for (const auto& p : spaces) {
    summary.details["spaces"][p.space->name] = {{"features", p.pca.columns},
                                                {"components", p.pca.components},
                                                {"columns", p.columns},
                                                {"base_rows", p.base_rows}};
  }
  if (with_times) add_times(summary, config, context, plan, features, spaces, comm);
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
