#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "cinecortex/core/interrupt.hpp"
#include "cinecortex/core/log.hpp"
#include "cinecortex/core/progress.hpp"
#include "cinecortex/encoding/joined_source.hpp"
#include "cinecortex/stages/stages.hpp"
#include "lagged_scores.hpp"
#include "model_files.hpp"
#include "ridge_plan.hpp"
#include "sources.hpp"
#include "timed_stage.hpp"

namespace cinecortex::stages {
namespace {

void warn_about_edges(const RidgeFile& file, Index targets, const SpaceConfig& space, int subject) {
  const auto edges = file.edges();
  // A few targets at the edge are normal (parcels without signal want the largest alpha); many are a hint.
  if ((edges.low + edges.high) * 2 <= targets) return;
  log::warn(
      "space {}, {}: {} of {} targets chose an alpha on the grid's edge ({} lowest, {} highest); "
      "widen ridge.alphas",
      space.name, dataset::layout::subject_name(subject), edges.low + edges.high, targets, edges.low,
      edges.high);
}

/// Fits the models of one cohort, as many targets at a time as the memory allows.   Collective: over comm.
class CohortFit {
 public:
  CohortFit(const SpaceConfig& space, const ScoreReader& scores, const Config& config, const Context& context,
            const FeatureTable& features, const Digests& digests, const Cohort& cohort,
            const parallel::Communicator& comm)
      : space_(space),
        config_(config),
        cohort_(cohort),
        comm_(comm),
        plan_(plan_fit(cohort, space, scores.components(), config, context, features, comm)) {
    std::vector<Range> times;
    for (const auto& of_run : cohort.rows.times) times.push_back({of_run.front(), of_run.back() + 1});
    x_ = std::make_unique<LaggedScores>(scores, space.design, scores.components(), config.experiment.data,
                                        cohort.rows.presentations, std::move(times));
    std::vector<const encoding::BlockSource*> sides;
    for (const int subject : cohort.subjects) {
      responses_.push_back(std::make_unique<ResponseSource>(subject, context.catalogue.targets.at(subject),
                                                            config.experiment.data, cohort.rows.presentations,
                                                            cohort.rows.times));
      sides.push_back(responses_.back().get());
    }
    y_ = std::make_unique<encoding::JoinedSource>(std::move(sides));
    open_statistics(scores, context, digests);
  }

  const KeptStatistics& statistics() const { return *statistics_; }
  /// Most that a rank held for it, by encoding::ridge_bytes.
  double fit_bytes() const { return fit_bytes_; }

  /// @param file_of  the model's file and digest, for each of the cohort's subjects
  void run(const std::function<std::pair<std::filesystem::path, std::string>(int)>& file_of) {
    std::vector<std::unique_ptr<RidgeFile>> files;
    for (std::size_t i = 0; i < cohort_.subjects.size(); ++i) {
      const auto subject = dataset::layout::subject_name(cohort_.subjects[i]);
      const auto [file, digest] = file_of(cohort_.subjects[i]);
      files.push_back(std::make_unique<RidgeFile>(
          file, y_->parts_columns()[i].size(), plan_.options, space_.design,
          Attributes{{digest_attribute, digest}, {"space", space_.name}, {"subject", subject}}, comm_));
    }
    const auto add = [&](const encoding::RidgeFit& fit) {
      for (std::size_t i = 0; i < files.size(); ++i) files[i]->add(fit, y_->parts_columns()[i]);
    };
    const auto shape = plan_.holding(statistics_->groups_held());
    const auto budget = fitting_budget(shape, config_.runtime.memory_bytes, comm_);
    if (comm_.root()) log_targets_at_once(budget, shape, config_.runtime.memory_bytes);
    fit_bytes_ = encoding::ridge_bytes(shape, budget);
    encoding::fit_ridge(*x_, *y_, plan_.options, budget, comm_, add,
                        statistics_->groups_held() > 0 ? statistics_.get() : nullptr);
    for (std::size_t i = 0; i < files.size(); ++i) {
      files[i]->commit();
      if (comm_.root())
        warn_about_edges(*files[i], y_->parts_columns()[i].size(), space_, cohort_.subjects[i]);
    }
  }

 private:
  void open_statistics(const ScoreReader& scores, const Context& context, const Digests& digests) {
    std::vector<std::string> fit_runs;
    for (Index block = 0; block < y_->blocks(); ++block) fit_runs.push_back(y_->name(block));
    statistics_ = std::make_unique<KeptStatistics>(KeptStatistics::Wanted{.space = space_,
                                                                          .design = space_.design,
                                                                          .components = scores.components(),
                                                                          .subjects = cohort_.subjects,
                                                                          .fit_runs = std::move(fit_runs),
                                                                          .may_read = plan_.primal,
                                                                          .may_write = plan_.keeps},
                                                   plan_.runs, scores, config_, context, digests, comm_);
  }

  const SpaceConfig& space_;
  const Config& config_;
  const Cohort& cohort_;
  const parallel::Communicator& comm_;
  FitPlan plan_;
  std::unique_ptr<LaggedScores> x_;
  std::vector<std::unique_ptr<ResponseSource>> responses_;  ///< of each subject
  std::unique_ptr<encoding::JoinedSource> y_;               ///< side by side
  std::unique_ptr<KeptStatistics> statistics_;
  double fit_bytes_ = 0;
};

void fit_models(const Config& config, const parallel::Communicator& comm, Summary& summary) {
  const Context context = make_context(config, comm);
  const FeatureTable features = load_feature_table(config, context, comm);
  const Digests digests(config, context, features);
  const auto& experiment = config.experiment;
  const auto total = static_cast<double>(experiment.spaces.size() * context.catalogue.subjects.size());
  Progress progress("ridge", total, "model", config.runtime.progress && comm.root());
  StatisticsUse use;
  double bytes = 0;
  for (const auto& space : experiment.spaces) {
    require_current(context.outputs.pca(space.name), digests.pca(space), "pca", comm);
    const auto scores = parallel::agree(comm, [&] {
      return std::make_unique<ScoreReader>(context.outputs.pca(space.name), features, space.name);
    });
    const auto file_of = [&](int subject) {
      return std::pair(context.outputs.ridge(space.name, subject), digests.ridge(space, subject));
    };
    std::map<int, FitRows> missing;
    for (const int subject : context.catalogue.subjects) {
      const auto [file, digest] = file_of(subject);
      summary.outputs.push_back(file);
      if (!config.runtime.force && is_current(file, digest, comm)) {
        ++summary.kept;
        progress.add(1);
        continue;
      }
      missing[subject] = fit_rows(space, subject, config, context, features);
    }
    for (const auto& cohort : cohorts(missing, experiment.ridge.per_target)) {
      parallel::agree(comm, [] { interrupt::check(); });
      CohortFit fit(space, *scores, config, context, features, digests, cohort, comm);
      naming_failures(name_of(space, cohort), [&] { fit.run(file_of); });
      use.add(fit.statistics());
      bytes = std::max(bytes, fit.fit_bytes());
      progress.add(static_cast<double>(cohort.subjects.size()));
      summary.done += static_cast<Index>(cohort.subjects.size());
    }
  }
  progress.finish();
  summary.details["inputs"] = context.fmri_digests;
  summary.details["fit_bytes"] = bytes;
  use.report(summary);
}

}  // namespace

Summary ridge(const Config& config, const parallel::Communicator& comm) {
  return timed_stage("ridge", comm, [&](Summary& summary) { fit_models(config, comm, summary); });
}

}  // namespace cinecortex::stages
