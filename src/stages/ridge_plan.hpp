#pragma once
#include <map>
#include <vector>

#include "kept_statistics.hpp"

/// What a space's ridge models are fitted on, known from the lengths of features and fMRI alone: `ridge` fits by it,
/// `validate` says what it comes to.
namespace cinecortex::stages {

/// Base rows of one subject in one space.
struct FitRows {
  std::vector<Presentation> shown;          ///< all that have rows after trimming
  std::vector<Presentation> presentations;  ///< those of them whose rows the design can predict
  std::vector<std::vector<Index>> times;    ///< of these

  Index total() const;
  /// Whether two subjects' fits, and statistics, have the very same design rows.
  bool same_design(const FitRows& other) const;
};

/// @throws InputError: there are none; the criterion leaves runs out and one of them is there twice.
/// Collective: no.
FitRows fit_rows(const SpaceConfig& space, int subject, const Config& config, const Context& context,
                 const FeatureTable& features);

/// Subjects of a space whose models are made together, because they share every design row: one Gram matrix, one
/// decomposition, one set of leverages for all their targets.
struct Cohort {
  FitRows rows;
  std::vector<int> subjects;
};

/// One alpha for all targets is one for each subject, so those stay apart.   Collective: no.
std::vector<Cohort> cohorts(const std::map<int, FitRows>& of_subjects, bool per_target);

/// "space audio, sub-01 sub-02".   Collective: no.
std::string name_of(const SpaceConfig& space, const Cohort& cohort);

struct FitPlan {
  encoding::RidgeOptions options;  ///< with the seasons of the fit's runs
  encoding::RidgeShape shape;      ///< folds: those of the criterion
  StatisticsRuns runs;
  std::vector<double> file_bytes;  ///< [subjects] of statistics, if they are kept
  bool primal = true;              ///< fewer columns than rows: otherwise there are no such sums
  bool keeps = false;              ///< the sums are kept, unless the files are there

  /// Sizes of a fit that holds the sums of so many groups of runs, or folds, at once.
  encoding::RidgeShape holding(Index groups) const;
};

/// Sums are made in more groups where they are kept: unasked only if all targets can then still be fitted at once.
/// Collective: over comm.
FitPlan plan_fit(const Cohort& cohort, const SpaceConfig& space, Index components, const Config& config,
                 const Context& context, const FeatureTable& features, const parallel::Communicator& comm);

}  // namespace cinecortex::stages
