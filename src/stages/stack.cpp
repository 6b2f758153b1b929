#include <fmt/format.h>

#include "base_predictions.hpp"
#include "cinecortex/core/interrupt.hpp"
#include "cinecortex/core/progress.hpp"
#include "cinecortex/stages/stages.hpp"
#include "missing_models.hpp"
#include "stack_weights.hpp"
#include "timed_stage.hpp"

namespace cinecortex::stages {
namespace {

/// Base predictions and truth of one subject's stack runs.
class StackRuns final : public encoding::StackData {
 public:
  StackRuns(const Config& config, const Context& context, const FeatureTable& features, int subject)
      : config_(config), predictors_(config.experiment, context.outputs, features, subject) {
    const auto& data = config.experiment.data;
    std::vector<const SpaceConfig*> spaces;
    for (const auto& space : config.experiment.spaces) spaces.push_back(&space);
    auto runs = context.with_fmri(context.split.stack, subject);
    std::erase_if(runs, [&](const auto* run) {
      return !missing_models(config.experiment, features, run->id.task).empty();
    });
    std::vector<Presentation> kept;
    std::vector<std::vector<Index>> times;
    for (auto& presentation : presentations(runs, subject, data, features)) {
      auto usable = usable_times(presentation, spaces, features, data);
      if (usable.empty()) continue;
      kept.push_back(presentation);
      times.push_back(std::move(usable));
    }
    if (kept.empty()) {
      throw InputError(fmt::format("{}: no stack run has fMRI and the features of every space (split.stack)",
                                   dataset::layout::subject_name(subject)));
    }
    runs_ = kept;
    times_ = times;
    responses_.emplace(subject, context.catalogue.targets.at(subject), data, kept, times);
  }

  Index blocks() const override { return responses_->blocks(); }
  Index models() const override { return static_cast<Index>(predictors_.spaces()); }
  Index targets() const override { return responses_->columns(); }
  std::string name(Index block) const override { return responses_->name(block); }

  Block read(Index block, Range targets) const override {
    interrupt::check();
    if (targets != loaded_) {
      predictors_.load(targets);
      loaded_ = targets;
    }
    const auto i = static_cast<std::size_t>(block);
    Block result{responses_->read(block, targets), {}};
    for (std::size_t space = 0; space < predictors_.spaces(); ++space) {
      result.predictions.push_back(predictors_.predict(space, config_.experiment.spaces[space].design,
                                                       runs_[i].run->id.task, times_[i],
                                                       config_.experiment.data.trim_tr[0]));
    }
    return result;
  }

 private:
  const Config& config_;
  std::vector<Presentation> runs_;
  std::vector<std::vector<Index>> times_;
  std::optional<ResponseSource> responses_;
  mutable BasePredictors predictors_;  // caches the weights of the targets read last
  mutable Range loaded_{-1, -1};
};

void fit_stacks(const Config& config, const parallel::Communicator& comm, Summary& summary) {
  const Context context = make_context(config, comm);
  const FeatureTable features = load_feature_table(config, context, comm);
  const Digests digests(config, context, features);
  const auto& experiment = config.experiment;
  const auto sets = missing_sets(experiment, features, context.split.test);
  std::vector<std::string> models, set_names;
  for (const auto& space : experiment.spaces) models.push_back(space.name);
  for (const auto& set : sets) set_names.push_back(set_name(experiment, set));

  Progress progress("stack", static_cast<double>(context.catalogue.subjects.size()), "subject",
                    config.runtime.progress && comm.root());
  for (const int subject : context.catalogue.subjects) {
    for (const auto& space : experiment.spaces) {
      require_current(context.outputs.ridge(space.name, subject), digests.ridge(space, subject), "ridge",
                      comm);
    }
    const auto file = context.outputs.stack(subject);
    const auto digest = digests.stack(subject);
    summary.outputs.push_back(file);
    progress.add(1);
    if (!config.runtime.force && is_current(file, digest, comm)) {
      ++summary.kept;
      continue;
    }
    const auto data = parallel::agree(
        comm, [&] { return std::make_unique<StackRuns>(config, context, features, subject); });
    const auto fit = naming_failures("stack of " + dataset::layout::subject_name(subject), [&] {
      return encoding::fit_stack(*data, experiment.stack.method, sets, comm);
    });
    std::vector<std::string> blocks;
    for (Index block = 0; block < data->blocks(); ++block) blocks.push_back(data->name(block));
    write_stack(file, fit, data->targets(), models, set_names, blocks,
                {{digest_attribute, digest},
                 {"method", experiment.stack.method},
                 {"subject", dataset::layout::subject_name(subject)}},
                comm);
    const auto name = dataset::layout::subject_name(subject);
    const auto means =
        mean_weights(fit, data->targets(), experiment.stack.method, models, name + ": space ", comm);
    for (std::size_t i = 0; i < models.size(); ++i)
      summary.details[name]["mean_weights"][models[i]] = means[i];
    ++summary.done;
  }
  progress.finish();
}

}  // namespace

Summary stack(const Config& config, const parallel::Communicator& comm) {
  return timed_stage("stack", comm, [&](Summary& summary) { fit_stacks(config, comm, summary); });
}

}  // namespace cinecortex::stages
