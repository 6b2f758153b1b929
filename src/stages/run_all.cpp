#include <fmt/format.h>

#include "cinecortex/core/clock.hpp"
#include "cinecortex/core/log.hpp"
#include "cinecortex/core/progress.hpp"
#include "cinecortex/stages/stages.hpp"
#include "manifest.hpp"
#include "sweep_plan.hpp"

namespace cinecortex::stages {
namespace {

struct Stage {
  const char* name;
  Summary (*run)(const Config&, const parallel::Communicator&);
};
constexpr Stage stages[] = {{"extract", extract}, {"pca", pca},         {"ridge", ridge},
                            {"stack", stack},     {"predict", predict}, {"score", score}};

std::string next_steps(const Config& config, const std::vector<Summary>& summaries) {
  const Outputs outputs(config.experiment.output, config.experiment.features);
  std::string text = fmt::format(
      "Outputs are in {}\n  scores, as a plot  {}\n  scores per parcel  {}\n  predictions        {}\n",
      outputs.root().string(), outputs.scores_plot().string(), outputs.scores().string(),
      outputs.predictions(config.experiment.data.subjects.front()).parent_path().string());
  for (const auto& summary : summaries) {
    for (const auto& output : summary.outputs) {
      if (output.extension() == ".zip") text += fmt::format("  submission         {}\n", output.string());
    }
  }
  text +=
      "Next: look at the plot; change a space or a delay in the experiment and run the same command again:\n"
      "only what depends on the change is redone.\n";
  return text;
}

}  // namespace

Summary run_stage(const std::string& name, const Config& config, const parallel::Communicator& comm) {
  for (const auto& stage : stages) {
    if (stage.name != name) continue;
    const Summary summary = stage.run(config, comm);
    update_manifest(config, summary, comm);
    return summary;
  }
  if (name == "sweep") {
    const Summary summary = sweep(config, comm);
    // Parts run side by side: only what puts them together may write the one manifest.
    if (config.runtime.sweep_part.part == 0) update_manifest(config, summary, comm);
    return summary;
  }
  if (name == "partition") {
    const Summary summary = variance_partition(config, comm);
    update_manifest(config, summary, comm);
    return summary;
  }
  if (name == "validate") return validate(config, comm);
  if (name == "run") return run_all(config, comm);
  throw Error("internal: no stage " + name);
}

Summary dry_run(const std::string& verb, const Config& config, const parallel::Communicator& comm) {
  if (verb == "sweep") wanted_sweep(config.experiment);
  if (verb == "partition") check_partition(config, comm);
  return validate(config, comm);
}

Summary run_all(const Config& config, const parallel::Communicator& comm) {
  const Stopwatch clock;
  Summary all{.stage = "run"};
  const auto planned = plan(config, comm);
  if (comm.root()) log::info("{}", planned.text);
  std::vector<Summary> summaries;
  for (const auto& stage : stages) {
    summaries.push_back(run_stage(stage.name, config, comm));
    const auto& summary = summaries.back();
    if (comm.root()) {
      log::info("{:<8} {} made, {} kept, {}", summary.stage, summary.done, summary.kept,
                format_duration(summary.seconds));
    }
    all.done += summary.done;
    all.kept += summary.kept;
    all.outputs.insert(all.outputs.end(), summary.outputs.begin(), summary.outputs.end());
    all.details[summary.stage] = to_json(summary);
  }
  all.text = summaries.back().text + next_steps(config, summaries);
  all.seconds = clock.seconds();
  return all;
}

}  // namespace cinecortex::stages
