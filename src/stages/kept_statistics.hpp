#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cinecortex/encoding/joined_source.hpp"
#include "cinecortex/encoding/ridge.hpp"
#include "cinecortex/stages/summary.hpp"
#include "digests.hpp"
#include "lagged_scores.hpp"
#include "statistics_file.hpp"
#include "sweep_plan.hpp"

namespace cinecortex::stages {

/// How runs are grouped where their sums are kept: so that seasons, the folds of the criterion and those of the sweep
/// are all made of whole groups.
/// @param tasks, seasons  [runs] of each    Collective: no.
SweepGroups statistics_groups(const std::vector<std::string>& tasks, const std::vector<std::string>& seasons,
                              const Experiment& experiment);

/// Runs of a space that some subjects' statistics are summed over.   Collective: no.
struct StatisticsRuns {
  std::vector<Presentation> shown;
  std::vector<std::string> names;  ///< of each, as ResponseSource names it
  SweepGroups groups;
};
StatisticsRuns statistics_runs(std::vector<Presentation> shown, const Experiment& experiment);

/// What their files hold, of products in float32.   Collective: no.
StatisticsContent statistics_content(const encoding::Design& design, Index components,
                                     const StatisticsRuns& runs);

/// Whether files of this size are kept: unasked only up to 256 MiB.   Collective: no.
bool keeps_statistics(StatisticsPolicy policy, double bytes);

/// Sums over the rows of a space for subjects that have the same rows. They come from the subjects' files where these
/// were made from the same inputs and hold what is wanted; otherwise every row is read, and the sums are kept.
/// What a file holds serves any edge, any leading components, any subset of its delays, any folds of whole groups.
/// Products in float32 and in float64 have files of their own: a fit takes what it would have made itself.
/// Source: mathematics §1 (nesting).
class KeptStatistics final : public encoding::RidgeSums {
 public:
  struct Wanted {
    const SpaceConfig& space;
    encoding::Design design;    ///< with the widest set of delays
    Index components = 0;       ///< the largest number
    std::vector<int> subjects;  ///< with the same presentations, of the same lengths
    std::vector<std::string>
        fit_runs;  ///< the blocks that folds are given for, by name; others are of no fold
    bool may_read = true, may_write = true;
  };

  /// Looks for the files.   @throws InputError if one is damaged (says what to do).   Collective: over comm.
  KeptStatistics(Wanted wanted, StatisticsRuns runs, const ScoreReader& scores, const Config& config,
                 const Context& context, const Digests& digests, const parallel::Communicator& comm);

  /// The most groups whose sums a rank holds at once; 0 where they neither go to files nor come from there, so that a
  /// fit does as well without this.
  Index groups_held() const noexcept {
    if (keeps_) return runs_.groups.count;
    return readers_ && !readers_->empty() ? 2 : 0;
  }

  /// Sums of the wanted design in each fold, for some of all subjects' targets side by side.
  std::vector<encoding::Statistics> of_folds(const std::vector<Index>& fold_of, Index folds, Range targets,
                                             encoding::LaggedStatistics::Wanted wanted) override;
  /// The same for every design that the sums hold, all targets.
  /// @throws Error if a fold has no run.   Collective: over comm.
  std::vector<encoding::LaggedStatistics> of_folds(const std::vector<Index>& fold_of, Index folds,
                                                   bool single);

  /// How many subjects' sums came from files and nothing else, and of how many some were written.
  Index subjects_read() const noexcept { return was_read_ && !accumulated_ ? subjects() : 0; }
  Index subjects_written() const noexcept { return was_written_ ? subjects() : 0; }

 private:
  using Sums = std::vector<encoding::LaggedStatistics>;
  Index subjects() const noexcept { return static_cast<Index>(wanted_.subjects.size()); }
  using Readers = std::vector<std::unique_ptr<StatisticsReader>>;
  std::filesystem::path file(int subject, bool single) const;
  void look_for_files(bool single);
  Readers open_files(bool single) const;
  bool alike(const Readers& readers, bool single) const;
  StatisticsContent content_to_write(bool single) const;

  Sums sums(const std::vector<Index>& fold_of_run, Index folds, Range targets,
            encoding::LaggedStatistics::Wanted wanted);
  Sums read(const std::vector<Index>& fold_of_group, Index folds, Range targets, bool gram) const;
  encoding::LaggedStatistics read_group(Index group, Range mine, bool gram) const;
  Sums accumulate(const std::vector<Index>& group_of, Index groups, Range targets,
                  encoding::LaggedStatistics::Wanted wanted);
  void keep(const Sums& groups, Range targets, bool single);
  Range mine(Range targets) const;

  Wanted wanted_;
  StatisticsRuns runs_;
  const Config& config_;
  const Context& context_;
  const Digests& digests_;
  const parallel::Communicator& comm_;
  LaggedScores x_;
  std::vector<std::unique_ptr<ResponseSource>> responses_;  ///< of each subject
  std::unique_ptr<encoding::JoinedSource> y_;               ///< side by side
  std::optional<Readers> readers_;  ///< of each subject; empty where the rows are read
  bool readers_single_ = true;      ///< the precision that they were looked for in
  bool keeps_ = false;
  std::vector<std::unique_ptr<StatisticsFile>> files_;  ///< being written
  Index next_target_ = 0;                               ///< first one that the files lack
  std::optional<bool> single_;                          ///< precision of what is written
  bool was_read_ = false, accumulated_ = false, was_written_ = false;
};

/// For how many models (a space and subject) a stage read statistics, or kept them, for its summary.   Collective: no.
class StatisticsUse {
 public:
  void add(const KeptStatistics& statistics) {
    read_ += statistics.subjects_read();
    written_ += statistics.subjects_written();
  }
  /// details.statistics, and a line of text where there is something to say.
  void report(Summary& summary) const;

 private:
  Index read_ = 0, written_ = 0;
};

}  // namespace cinecortex::stages
