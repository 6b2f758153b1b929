#include "existing_features.hpp"

#include "cinecortex/core/log.hpp"

namespace cinecortex::stages {
namespace {

/// Stands for the model that once made a space's features.
class ExtractedBefore final : public models::Extractor {
 public:
  ExtractedBefore(std::string space, Index width) : space_(std::move(space)), readings_{{"", width, {}}} {}

  models::Needs needs() const override { return models::Needs::none; }
  const std::vector<models::Reading>& readings() const override { return readings_; }
  void extract(const models::Stimulus&, Range, std::span<MatrixF>) override {
    throw Error("internal: features of space " + space_ + " are there and were asked for again");
  }
  std::string identity() const override { return ""; }

 private:
  std::string space_;
  std::vector<models::Reading> readings_;
};

}  // namespace

ExtractionPlan plan_of_existing_features(const Config& config, const Context& context,
                                         const parallel::Communicator& comm) {
  const FeatureTable features = load_feature_table(config, context, comm);
  if (comm.root() && config.runtime.force) {
    log::warn("features are kept: this program, built for statistics only, cannot make them again");
  }
  ExtractionPlan plan;
  for (const auto& space : config.experiment.spaces) {
    const Index width = features.at(space.name).begin()->second.width;
    plan.groups.push_back({std::make_unique<ExtractedBefore>(space.name, width), {{&space, 0}}});
  }
  for (const auto* run : context.runs) {
    RunWork work{.run = run};
    for (std::size_t g = 0; g < plan.groups.size(); ++g) {
      const auto& file = features.at(config.experiment.spaces[g].name).at(run->id.task);
      work.groups.push_back({g, file.rows, {file.digest}, true});
    }
    plan.work.push_back(std::move(work));
  }
  plan.current_files = std::ssize(plan.groups) * std::ssize(plan.work);
  return plan;
}

}  // namespace cinecortex::stages
