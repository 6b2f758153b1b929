#include "kept_statistics.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

namespace cinecortex::stages {
namespace {

using encoding::LaggedStatistics;

/// The coarsest groups that do not mix runs of different labels, whatever kind of label; numbered as they appear.
SweepGroups refined(const std::vector<std::vector<Index>>& labels, std::size_t runs) {
  std::map<std::vector<Index>, Index> numbers;
  SweepGroups groups;
  for (std::size_t run = 0; run < runs; ++run) {
    std::vector<Index> of_run;
    of_run.reserve(labels.size());
    for (const auto& kind : labels) of_run.push_back(kind[run]);
    groups.of.push_back(numbers.try_emplace(of_run, static_cast<Index>(numbers.size())).first->second);
  }
  groups.count = static_cast<Index>(numbers.size());
  return groups;
}

/// Folds of whole runs, or none where the runs are too few for them: who asks for the folds says so.
void add_folds(std::vector<std::vector<Index>>& labels, const SweepFolds& folds,
               const std::vector<std::string>& runs, const std::vector<std::string>& seasons) {
  const std::set<std::string> different(runs.begin(), runs.end());
  const std::set<std::string> different_seasons(seasons.begin(), seasons.end());
  const bool by_season = folds.by == SweepFolds::By::season ||
                         (folds.by == SweepFolds::By::automatic && different_seasons.size() > 1);
  if (by_season || static_cast<Index>(different.size()) < folds.count) return;
  labels.push_back(sweep_groups({SweepFolds::By::contiguous, folds.count}, runs, seasons).of);
}

std::vector<std::vector<Index>> times_of(const LaggedScores& x) {
  std::vector<std::vector<Index>> times;
  for (Index block = 0; block < x.blocks(); ++block) {
    times.emplace_back();
    for (Index time = x.times(block).begin; time < x.times(block).end; ++time) times.back().push_back(time);
  }
  return times;
}

std::vector<Index> ascending(std::vector<Index> delays) {
  std::sort(delays.begin(), delays.end());
  return delays;
}

/// The fold that each group belongs to; nothing if a group has runs of several. Runs of no fold have no rows in the
/// fit, so their groups may go anywhere.
std::optional<std::vector<Index>> folds_of_groups(const std::vector<Index>& group_of, Index groups,
                                                  const std::vector<Index>& fold_of_run) {
  std::vector<Index> fold_of(static_cast<std::size_t>(groups), -1);
  for (std::size_t run = 0; run < group_of.size(); ++run) {
    if (fold_of_run[run] < 0) continue;
    Index& fold = fold_of[static_cast<std::size_t>(group_of[run])];
    if (fold >= 0 && fold != fold_of_run[run]) return std::nullopt;
    fold = fold_of_run[run];
  }
  for (Index& fold : fold_of) fold = std::max<Index>(fold, 0);
  return fold_of;
}

/// Adds groups up to folds, in the groups' order, so that sums that were read are to the bit those that were made.
class Merged {
 public:
  explicit Merged(Index folds) : folds_(static_cast<std::size_t>(folds)) {}
  void add(Index fold, LaggedStatistics group) {
    auto& sum = folds_[static_cast<std::size_t>(fold)];
    if (sum) {
      *sum += group;
    } else {
      sum.emplace(std::move(group));
    }
  }
  std::vector<LaggedStatistics> take() {
    std::vector<LaggedStatistics> all;
    for (auto& fold : folds_) {
      if (!fold) throw Error("internal: a fold without runs");
      all.push_back(std::move(*fold));
    }
    return all;
  }

 private:
  std::vector<std::optional<LaggedStatistics>> folds_;
};

}  // namespace

SweepGroups statistics_groups(const std::vector<std::string>& tasks, const std::vector<std::string>& seasons,
                              const Experiment& experiment) {
  std::vector<std::vector<Index>> labels{numbered(seasons)};
  if (const Index folds = encoding::kfold_count(experiment.ridge.criterion)) {
    add_folds(labels, {SweepFolds::By::contiguous, folds}, tasks, seasons);
  }
  if (experiment.sweep) add_folds(labels, experiment.sweep->folds, tasks, seasons);
  return refined(labels, tasks.size());
}

StatisticsRuns statistics_runs(std::vector<Presentation> shown, const Experiment& experiment) {
  StatisticsRuns runs;
  std::vector<std::string> tasks, seasons;
  for (const auto& presentation : shown) {
    runs.names.push_back(block_name(presentation, experiment.data));
    tasks.push_back(presentation.run->id.task);
    seasons.push_back(presentation.run->id.group());
  }
  runs.groups = statistics_groups(tasks, seasons, experiment);
  runs.shown = std::move(shown);
  return runs;
}

StatisticsContent statistics_content(const encoding::Design& design, Index components,
                                     const StatisticsRuns& runs) {
  return {.delays = ascending(design.delays()),
          .components = components,
          .runs = runs.names,
          .group_of = runs.groups.of};
}

bool keeps_statistics(StatisticsPolicy policy, double bytes) {
  constexpr double unasked_bytes = 256.0 * (1 << 20);
  return policy == StatisticsPolicy::keep ||
         (policy == StatisticsPolicy::automatic && bytes <= unasked_bytes);
}

KeptStatistics::KeptStatistics(Wanted wanted, StatisticsRuns runs, const ScoreReader& scores,
                               const Config& config, const Context& context, const Digests& digests,
                               const parallel::Communicator& comm)
    : wanted_(std::move(wanted)),
      runs_(std::move(runs)),
      config_(config),
      context_(context),
      digests_(digests),
      comm_(comm),
      x_(scores, wanted_.design, wanted_.components, config.experiment.data, runs_.shown) {
  std::vector<const encoding::BlockSource*> sides;
  double largest = 0;
  for (const int subject : wanted_.subjects) {
    const Index targets = context.catalogue.targets.at(subject);
    responses_.push_back(std::make_unique<ResponseSource>(subject, targets, config.experiment.data,
                                                          runs_.shown, times_of(x_)));
    sides.push_back(responses_.back().get());
    largest = std::max(largest, statistics_bytes(content_to_write(true), targets));
  }
  y_ = std::make_unique<encoding::JoinedSource>(std::move(sides));
  const auto policy = config.experiment.statistics;
  keeps_ = wanted_.may_write && keeps_statistics(policy, largest);
  wanted_.may_read = wanted_.may_read && policy != StatisticsPolicy::none && !config.runtime.force;
  look_for_files(true);
}

std::filesystem::path KeptStatistics::file(int subject, bool single) const {
  return context_.outputs.statistics(wanted_.space.name, subject, single);
}

StatisticsContent KeptStatistics::content_to_write(bool single) const {
  auto content = statistics_content(wanted_.design, wanted_.components, runs_);
  content.single = single;
  return content;
}

/// Collective: over comm.
void KeptStatistics::look_for_files(bool single) {
  if (readers_ && readers_single_ == single) return;
  readers_ = wanted_.may_read ? open_files(single) : Readers{};
  readers_single_ = single;
}

/// The files of all subjects, or none at all.   Collective: over comm.
KeptStatistics::Readers KeptStatistics::open_files(bool single) const {
  Readers readers;
  try {
    for (const int subject : wanted_.subjects) {
      if (!is_current(file(subject, single), digests_.statistics(wanted_.space, subject), comm_)) return {};
      readers.push_back(
          parallel::agree(comm_, [&] { return std::make_unique<StatisticsReader>(file(subject, single)); }));
    }
    if (parallel::agree(comm_, [&] { return alike(readers, single); })) return readers;
  } catch (const InputError& e) {
    throw InputError(
        fmt::format("{}; delete the file, or use --force, and the statistics are made anew", e.what()));
  }
  return {};
}

/// Whether the files hold what is wanted, and can be put side by side.
bool KeptStatistics::alike(const Readers& readers, bool single) const {
  const auto& first = *readers.front();
  const auto& content = first.content();
  if (content.single != single || !content.holds(ascending(wanted_.design.delays()), wanted_.components))
    return false;
  return content.runs == runs_.names && std::all_of(readers.begin(), readers.end(), [&](const auto& reader) {
           return reader->content() == content && reader->shift_x() == first.shift_x();
         });
}

Range KeptStatistics::mine(Range targets) const {
  const Range share = partition(targets.size(), comm_.size(), comm_.rank());
  return {targets.begin + share.begin, targets.begin + share.end};
}

std::vector<encoding::Statistics> KeptStatistics::of_folds(const std::vector<Index>& fold_of, Index folds,
                                                           Range targets, LaggedStatistics::Wanted wanted) {
  std::vector<Index> fold_of_run;
  for (const auto& name : runs_.names) {
    const auto found = std::find(wanted_.fit_runs.begin(), wanted_.fit_runs.end(), name);
    fold_of_run.push_back(found == wanted_.fit_runs.end()
                              ? -1
                              : fold_of[static_cast<std::size_t>(found - wanted_.fit_runs.begin())]);
  }
  std::vector<encoding::Statistics> result;
  for (auto& fold : sums(fold_of_run, folds, targets, wanted)) {
    result.push_back(fold.components() == wanted_.components
                         ? std::move(fold).take(wanted_.design)
                         : fold.assemble(wanted_.design, wanted_.components));
  }
  return result;
}

std::vector<LaggedStatistics> KeptStatistics::of_folds(const std::vector<Index>& fold_of, Index folds,
                                                       bool single) {
  auto all = sums(fold_of, folds, {0, y_->columns()}, {.gram = true, .single = single});
  if (all.empty()) throw Error("internal: statistics in groups that the folds cut");
  return all;
}

/// Sums of each fold; none if a group's runs are of several folds.
KeptStatistics::Sums KeptStatistics::sums(const std::vector<Index>& fold_of_run, Index folds, Range targets,
                                          LaggedStatistics::Wanted wanted) {
  look_for_files(wanted.single);
  if (!readers_->empty()) {
    const auto& there = readers_->front()->content();
    if (const auto fold_of_group = folds_of_groups(there.group_of, there.groups(), fold_of_run)) {
      was_read_ = true;
      return parallel::agree(comm_, [&] { return read(*fold_of_group, folds, targets, wanted.gram); });
    }
    readers_->clear();
  }
  const auto fold_of_group = folds_of_groups(runs_.groups.of, runs_.groups.count, fold_of_run);
  if (!fold_of_group) return {};
  if (!keeps_) {
    std::vector<Index> group_of = fold_of_run;
    for (Index& fold : group_of) fold = std::max<Index>(fold, 0);
    return accumulate(group_of, folds, targets, wanted);
  }
  Sums groups = accumulate(runs_.groups.of, runs_.groups.count, targets, wanted);
  keep(groups, targets, wanted.single);
  Merged merged(folds);
  for (std::size_t g = 0; g < groups.size(); ++g) merged.add((*fold_of_group)[g], std::move(groups[g]));
  return merged.take();
}

KeptStatistics::Sums KeptStatistics::read(const std::vector<Index>& fold_of_group, Index folds, Range targets,
                                          bool gram) const {
  Merged merged(folds);
  for (std::size_t g = 0; g < fold_of_group.size(); ++g) {
    merged.add(fold_of_group[g], read_group(static_cast<Index>(g), mine(targets), gram));
  }
  return merged.take();
}

/// What does not depend on the targets is the same in every subject's file.
LaggedStatistics KeptStatistics::read_group(Index group, Range mine, bool gram) const {
  encoding::LaggedSums all;
  for (std::size_t i = 0; i < readers_->size(); ++i) {
    const Range columns = y_->parts_columns()[i];
    const Index begin = std::clamp(mine.begin, columns.begin, columns.end);
    const Range part{begin - columns.begin, std::clamp(mine.end, begin, columns.end) - columns.begin};
    auto sums = (*readers_)[i]->read(group, part, gram && i == 0);
    if (i == 0) {
      all = std::move(sums);
    } else {
      all.append_targets(sums);
    }
  }
  return LaggedStatistics(std::move(all));
}

KeptStatistics::Sums KeptStatistics::accumulate(const std::vector<Index>& group_of, Index groups,
                                                Range targets, LaggedStatistics::Wanted wanted) {
  accumulated_ = true;
  const encoding::ColumnsOf some(*y_, targets);
  return LaggedStatistics::accumulate(x_, some, group_of, groups, comm_, wanted);
}

/// Adds a block of targets to the files; a fit that goes through the targets a second time has them there already.
void KeptStatistics::keep(const Sums& groups, Range targets, bool single) {
  if (single_ != single) {
    files_.clear();
    next_target_ = 0;
    single_ = single;
  }
  if (targets.begin != next_target_) return;
  for (std::size_t i = files_.size(); i < wanted_.subjects.size(); ++i) {
    const int subject = wanted_.subjects[i];
    files_.push_back(std::make_unique<StatisticsFile>(
        file(subject, single), content_to_write(single), y_->parts_columns()[i].size(),
        Attributes{{digest_attribute, digests_.statistics(wanted_.space, subject)},
                   {"space", wanted_.space.name},
                   {"subject", dataset::layout::subject_name(subject)}},
        comm_));
  }
  for (std::size_t i = 0; i < files_.size(); ++i)
    files_[i]->add(groups, mine(targets), y_->parts_columns()[i]);
  next_target_ = targets.end;
  if (next_target_ < y_->columns()) return;
  for (auto& file : files_) file->commit();
  was_written_ = true;
  files_.clear();
  readers_.reset();  // a second round over the targets finds them
}

void StatisticsUse::report(Summary& summary) const {
  summary.details["statistics"] = {{"read", read_}, {"written", written_}};
  if (read_ + written_ > 0) {
    summary.text += fmt::format(
        "Sums over the rows of {} models read from statistics/, of {} written there\n", read_, written_);
  }
}

}  // namespace cinecortex::stages
