#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "cinecortex/core/interrupt.hpp"
#include "cinecortex/core/log.hpp"
#include "cinecortex/core/progress.hpp"
#include "cinecortex/encoding/joined_source.hpp"
#include "cinecortex/stages/stages.hpp"
#include "kept_statistics.hpp"
#include "lagged_scores.hpp"
#include "model_files.hpp"
#include "sources.hpp"
#include "timed_stage.hpp"

namespace cinecortex::stages {
namespace {

struct FitRows {
  std::vector<Presentation> shown;          ///< all that have rows after trimming
  std::vector<Presentation> presentations;  ///< those of them whose rows the design can predict
  std::vector<std::vector<Index>> times;    ///< of these

  /// Whether two subjects' fits, and statistics, have the very same design rows.
  bool same_design(const FitRows& other) const {
    return times == other.times &&
           std::equal(shown.begin(), shown.end(), other.shown.begin(), other.shown.end(),
                      [](const Presentation& a, const Presentation& b) {
                        return a.run->id.task == b.run->id.task && a.repeat == b.repeat && a.rows == b.rows;
                      });
  }
};

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

/// Subjects of a space whose models are made together, because they share every design row: one Gram matrix, one
/// decomposition, one set of leverages for all their targets.
struct Cohort {
  FitRows rows;
  std::vector<int> subjects;
};

/// Subjects whose model is not there yet. One alpha for all targets is one for each subject, so those stay apart.
std::vector<Cohort> cohorts(const std::map<int, FitRows>& missing, bool per_target) {
  std::vector<Cohort> found;
  for (const auto& entry : missing) {
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

/// The season or movie of each block, as numbers.
std::vector<Index> seasons_of(const FitRows& rows) {
  std::map<std::string, Index> numbers;
  std::vector<Index> seasons;
  for (const auto& presentation : rows.presentations) {
    seasons.push_back(
        numbers.try_emplace(presentation.run->id.group(), static_cast<Index>(numbers.size())).first->second);
  }
  return seasons;
}

Index fold_count(const encoding::RidgeOptions& options) {
  if (const Index folds = encoding::kfold_count(options.criterion)) return folds;
  if (options.criterion != "leave-one-season-out") return 1;
  return 1 + *std::max_element(options.season_of.begin(), options.season_of.end());
}

/// Fits the models of one cohort, as many targets at a time as the memory allows.   Collective: over comm.
class CohortFit {
 public:
  CohortFit(const SpaceConfig& space, const ScoreReader& scores, const Config& config, const Context& context,
            const Digests& digests, const Cohort& cohort, const parallel::Communicator& comm)
      : space_(space), config_(config), cohort_(cohort), comm_(comm), options_(config.experiment.ridge) {
    options_.season_of = seasons_of(cohort.rows);
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

  std::string name() const {
    std::vector<std::string> names;
    for (const int subject : cohort_.subjects) names.push_back(dataset::layout::subject_name(subject));
    return fmt::format("space {}, {}", space_.name, fmt::join(names, " "));
  }

  /// @param file_of  the model's file and digest, for each of the cohort's subjects
  void run(const std::function<std::pair<std::filesystem::path, std::string>(int)>& file_of) {
    std::vector<std::unique_ptr<RidgeFile>> files;
    for (std::size_t i = 0; i < cohort_.subjects.size(); ++i) {
      const auto subject = dataset::layout::subject_name(cohort_.subjects[i]);
      const auto [file, digest] = file_of(cohort_.subjects[i]);
      files.push_back(std::make_unique<RidgeFile>(
          file, y_->parts_columns()[i].size(), options_, space_.design,
          Attributes{{digest_attribute, digest}, {"space", space_.name}, {"subject", subject}}, comm_));
    }
    const auto add = [&](const encoding::RidgeFit& fit) {
      for (std::size_t i = 0; i < files.size(); ++i) files[i]->add(fit, y_->parts_columns()[i]);
    };
    encoding::fit_ridge(*x_, *y_, options_, fitting_budget(shape_, config_.runtime.memory_bytes, comm_),
                        comm_, add, statistics_->groups_held() > 0 ? statistics_.get() : nullptr);
    for (std::size_t i = 0; i < files.size(); ++i) {
      files[i]->commit();
      if (comm_.root())
        warn_about_edges(*files[i], y_->parts_columns()[i].size(), space_, cohort_.subjects[i]);
    }
  }

 private:
  encoding::RidgeShape shape(Index folds) const {
    encoding::RidgeShape shape{.rows = x_->total_rows(),
                               .columns = x_->columns(),
                               .targets = y_->columns(),
                               .alphas = static_cast<Index>(options_.alphas.size()),
                               .folds = folds,
                               .ranks = comm_.size()};
    for (Index block = 0; block < x_->blocks(); ++block) {
      shape.block_rows = std::max(shape.block_rows, x_->feature_rows(block));
    }
    return shape;
  }

  /// Sums are made in more groups where they are kept: unasked only if all targets can then still be fitted at once. A
  /// dual fit makes none.
  void open_statistics(const ScoreReader& scores, const Context& context, const Digests& digests) {
    auto runs = statistics_runs(cohort_.rows.shown, config_.experiment);
    const Index folds = fold_count(options_);
    const double memory = comm_.min(config_.runtime.memory_bytes);
    const bool primal = x_->columns() <= x_->total_rows();
    const bool roomy =
        memory <= 0 || encoding::ridge_bytes(shape(std::max(folds, runs.groups.count)), {}) <= memory;
    std::vector<std::string> fit_runs;
    for (Index block = 0; block < y_->blocks(); ++block) fit_runs.push_back(y_->name(block));
    statistics_ = std::make_unique<KeptStatistics>(
        KeptStatistics::Wanted{
            .space = space_,
            .design = space_.design,
            .components = scores.components(),
            .subjects = cohort_.subjects,
            .fit_runs = std::move(fit_runs),
            .may_read = primal,
            .may_write = primal && (roomy || config_.experiment.statistics == StatisticsPolicy::keep)},
        std::move(runs), scores, config_, context, digests, comm_);
    shape_ = shape(std::max(folds, statistics_->groups_held()));
  }

  const SpaceConfig& space_;
  const Config& config_;
  const Cohort& cohort_;
  const parallel::Communicator& comm_;
  encoding::RidgeOptions options_;
  std::unique_ptr<LaggedScores> x_;
  std::vector<std::unique_ptr<ResponseSource>> responses_;  ///< of each subject
  std::unique_ptr<encoding::JoinedSource> y_;               ///< side by side
  std::unique_ptr<KeptStatistics> statistics_;
  encoding::RidgeShape shape_;
};

void fit_models(const Config& config, const parallel::Communicator& comm, Summary& summary) {
  const Context context = make_context(config, comm);
  const FeatureTable features = load_feature_table(config, context, comm);
  const Digests digests(config, context, features);
  const auto& experiment = config.experiment;
  const auto total = static_cast<double>(experiment.spaces.size() * context.catalogue.subjects.size());
  Progress progress("ridge", total, "model", config.runtime.progress && comm.root());
  StatisticsUse use;
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
      check_blocks(missing[subject], experiment);
    }
    for (const auto& cohort : cohorts(missing, experiment.ridge.per_target)) {
      parallel::agree(comm, [] { interrupt::check(); });
      CohortFit fit(space, *scores, config, context, digests, cohort, comm);
      naming_failures(fit.name(), [&] { fit.run(file_of); });
      use.add(fit.statistics());
      progress.add(static_cast<double>(cohort.subjects.size()));
      summary.done += static_cast<Index>(cohort.subjects.size());
    }
  }
  progress.finish();
  summary.details["inputs"] = context.fmri_digests;
  use.report(summary);
}

}  // namespace

Summary ridge(const Config& config, const parallel::Communicator& comm) {
  return timed_stage("ridge", comm, [&](Summary& summary) { fit_models(config, comm, summary); });
}

}  // namespace cinecortex::stages
