#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <memory>

#include "cinecortex/core/progress.hpp"
#include "cinecortex/encoding/joined_source.hpp"
#include "cinecortex/encoding/variance_partition.hpp"
#include "cinecortex/io/text_file.hpp"
#include "cinecortex/stages/stages.hpp"
#include "extraction_plan.hpp"
#include "missing_models.hpp"
#include "partition_table.hpp"
#include "sources.hpp"
#include "timed_stage.hpp"

namespace cinecortex::stages {
namespace {

constexpr Index most_folds = 5;

/// Presentations that every space can predict, with their group: a fold, or, last, the held-out rows.
struct SharedRows {
  std::vector<Presentation> presentations;
  std::vector<std::vector<Index>> times;
  std::vector<Index> group_of;
  Index folds = 0;
  std::string held_out;  ///< the role of the held-out runs
};

class RowFinder {
 public:
  RowFinder(const Config& config, const Context& context, const FeatureTable& features, int subject)
      : config_(config), context_(context), features_(features), subject_(subject) {
    for (const auto& space : config.experiment.spaces) spaces_.push_back(&space);
  }

  SharedRows find() {
    add(context_.split.base);
    make_folds();
    rows_.held_out = "test";
    if (add(context_.split.test) == 0) {
      rows_.held_out = "stack";
      if (add(context_.split.stack) == 0) {
        throw InputError(
            "no test or stack run has fMRI and the features of every space: there is nothing to judge the "
            "fits by");
      }
    }
    rows_.group_of.resize(rows_.presentations.size(), rows_.folds);
    return std::move(rows_);
  }

 private:
  /// How many presentations of these runs have rows for all spaces.
  Index add(const std::vector<std::string>& role) {
    const auto& data = config_.experiment.data;
    auto runs = context_.with_fmri(role, subject_);
    std::erase_if(runs, [&](const auto* run) {
      return !missing_models(config_.experiment, features_, run->id.task).empty();
    });
    Index added = 0;
    for (const auto& presentation : presentations(runs, subject_, data, features_)) {
      auto times = usable_times(presentation, spaces_, features_, data);
      if (times.empty()) continue;
      rows_.presentations.push_back(presentation);
      rows_.times.push_back(std::move(times));
      ++added;
    }
    return added;
  }

  /// Contiguous folds of whole runs; presentations of the same run stay together.
  void make_folds() {
    std::vector<const dataset::Run*> runs;
    std::vector<Index> run_of;
    for (const auto& presentation : rows_.presentations) {
      if (runs.empty() || runs.back() != presentation.run) runs.push_back(presentation.run);
      run_of.push_back(static_cast<Index>(runs.size()) - 1);
    }
    const auto count = static_cast<Index>(runs.size());
    if (count < 2) {
      throw InputError(
          fmt::format("{} base run(s) have fMRI and the features of every space; choosing alpha takes at "
                      "least 2 (split.base)",
                      count));
    }
    rows_.folds = std::min(count, most_folds);
    for (const Index run : run_of) {
      Index fold = 0;
      while (cinecortex::partition(count, rows_.folds, fold).end <= run) ++fold;
      rows_.group_of.push_back(fold);
    }
  }

  const Config& config_;
  const Context& context_;
  const FeatureTable& features_;
  int subject_;
  std::vector<const SpaceConfig*> spaces_;
  SharedRows rows_;
};

void require_two_spaces(const Experiment& experiment) {
  if (experiment.spaces.size() >= 2) return;
  throw InputError("partition: the experiment has one feature space; parts of variance take at least two");
}

/// Every rank finds the same.   @throws InputError where the split leaves too few runs.   Collective: over comm.
SharedRows find_rows(const Config& config, const Context& context, const FeatureTable& features, int subject,
                     const parallel::Communicator& comm) {
  return parallel::agree(comm, [&] { return RowFinder(config, context, features, subject).find(); });
}

using Readers = std::vector<std::unique_ptr<ScoreReader>>;

/// What of one subject is fitted, and written.   Collective: over comm.
void partition_subject(const Config& config, const Context& context, const FeatureTable& features,
                       const Readers& readers, int subject, const std::string& digest,
                       const parallel::Communicator& comm, Progress& progress) {
  const auto& experiment = config.experiment;
  const auto rows = find_rows(config, context, features, subject, comm);
  std::vector<std::unique_ptr<DesignSource>> designs;
  std::vector<const encoding::BlockSource*> parts;
  for (std::size_t i = 0; i < readers.size(); ++i) {
    designs.push_back(std::make_unique<DesignSource>(*readers[i], experiment.spaces[i], experiment.data,
                                                     rows.presentations, rows.times));
    parts.push_back(designs.back().get());
  }
  const encoding::JoinedSource x(parts);
  const Index targets = context.catalogue.targets.at(subject);
  const ResponseSource y(subject, targets, experiment.data, rows.presentations, rows.times);
  auto groups = encoding::group_statistics(x, y, rows.group_of, rows.folds + 1, comm);
  auto held_out = std::move(groups.back());
  groups.pop_back();
  const auto partition = encoding::partition_variance(
      std::move(groups), std::move(held_out), x.parts_columns(),
      {.alphas = experiment.ridge.alphas, .per_target = experiment.ridge.per_target}, comm,
      [&](Index) { progress.add(1); });

  std::vector<std::string> names;
  for (const auto& space : experiment.spaces) names.push_back(space.name);
  write_partition(context.outputs.partition(subject), partition, names, targets,
                  {{digest_attribute, digest},
                   {"subject", dataset::layout::subject_name(subject)},
                   {"held_out", rows.held_out},
                   {"folds", std::int64_t{rows.folds}}},
                  comm);
}

void partition_subjects(const Config& config, const parallel::Communicator& comm, Summary& summary) {
  const Context context = make_context(config, comm);
  const FeatureTable features = load_feature_table(config, context, comm);
  const Digests digests(config, context, features);
  require_two_spaces(config.experiment);
  const auto& spaces = config.experiment.spaces;
  Readers readers;
  for (const auto& space : spaces) {
    require_current(context.outputs.pca(space.name), digests.pca(space), "pca", comm);
    readers.push_back(parallel::agree(comm, [&] {
      return std::make_unique<ScoreReader>(context.outputs.pca(space.name), features, space.name);
    }));
  }
  const auto sets =
      static_cast<double>(encoding::partition_subsets(static_cast<Index>(spaces.size())).size());
  Progress progress("partition", sets * static_cast<double>(context.catalogue.subjects.size()), "fit",
                    config.runtime.progress && comm.root());
  std::vector<std::filesystem::path> files;
  for (const int subject : context.catalogue.subjects) {
    const auto file = context.outputs.partition(subject);
    const auto digest = digests.partition(subject);
    files.push_back(file);
    if (!config.runtime.force && is_current(file, digest, comm)) {
      ++summary.kept;
      progress.add(sets);
      continue;
    }
    naming_failures("partition of " + dataset::layout::subject_name(subject), [&] {
      partition_subject(config, context, features, readers, subject, digest, comm, progress);
    });
    ++summary.done;
  }
  progress.finish();
  // The table is made of the files, so it is the same whether they were made now or before.
  const std::string csv = from_root(comm, [&] { return partition_csv(files); });
  parallel::agree(comm, [&] {
    if (comm.root()) io::write_text(context.outputs.partition_table(), csv);
  });
  summary.text = from_root(comm, [&] { return partition_text(files); });
  summary.outputs = files;
  summary.outputs.push_back(context.outputs.partition_table());
}

}  // namespace

void check_partition(const Config& config, const parallel::Communicator& comm) {
  require_two_spaces(config.experiment);
  const Context context = make_context(config, comm);
  const FeatureTable features = planned_features(plan_extraction(config, context, comm));
  for (const int subject : context.catalogue.subjects) {
    naming_failures("partition of " + dataset::layout::subject_name(subject),
                    [&] { find_rows(config, context, features, subject, comm); });
  }
}

Summary variance_partition(const Config& config, const parallel::Communicator& comm) {
  return timed_stage("partition", comm, [&](Summary& summary) { partition_subjects(config, comm, summary); });
}

}  // namespace cinecortex::stages
