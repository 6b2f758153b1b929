#pragma once
#include <string>
#include <vector>

#include "cinecortex/encoding/sweep.hpp"
#include "cinecortex/stages/experiment.hpp"

/// What a sweep tries, and how the work is shared out. Nothing here is collective.
namespace cinecortex::stages {

/// @throws InputError for an experiment without a table [sweep].
const SweepConfig& wanted_sweep(const Experiment& experiment);

/// One row of the sweep's table for each subject.
struct SweepCase {
  Index components = 0;
  encoding::Design design;
  bool windowed = false;  ///< given by delay and window, not by a set of delays

  Index delay() const { return design.delays().back(); }                       ///< if windowed
  Index window() const { return static_cast<Index>(design.delays().size()); }  ///< if windowed
  Index columns() const { return design.columns(components); }
  std::string delays() const;  ///< "4 3 2", oldest first
  std::string label() const;   ///< of the design: "delay 2, window 3", or "delays 4 2 0"
  bool same_design(const SweepCase& other) const { return design.delays() == other.design.delays(); }
};

/// All combinations, components first, then delay, then window; what the sweep leaves open is the space's own.
/// @param own        the space's design    @param available  components that there are
/// @param where      of the space, for messages, e.g. "space audio"
/// @throws InputError: more components than there are; delay or window alone where `own` is a set with gaps.
std::vector<SweepCase> sweep_cases(const SweepConfig& sweep, const encoding::Design& own, Index available,
                                   const std::string& where);

/// Every case by itself: encoding::require_reach.
void require_reach(const std::vector<SweepCase>& cases, const std::vector<encoding::RunExtent>& runs,
                   const std::string& where);

/// The widest set of delays, with the cases' edge.
encoding::Design widest_design(const std::vector<SweepCase>& cases);
Index most_components(const std::vector<SweepCase>& cases);
std::vector<encoding::SweepPoint> sweep_points(const std::vector<SweepCase>& cases);

/// Warns where a sweep takes more than a rank may hold. For rank 0.
/// @param of  what is swept, for the message    @param allowed  0 where nothing is said
void warn_of_memory(const std::string& of, double bytes, double allowed);

/// Some configurations of one unit (a space and a subject).
struct SweepShare {
  std::size_t unit = 0;
  std::vector<std::size_t> cases;  ///< ascending
};

/// Part `part` (1 … parts) of all units' cases: whole units where there are no more parts than units, for what a
/// unit's cases have in common is then accumulated once; otherwise each unit is split among several parts so that
/// these decompose about the same.
/// @param units  the cases of each
std::vector<SweepShare> sweep_share(const std::vector<const std::vector<SweepCase>*>& units, SweepPart part);

/// Fold groups of blocks.
struct SweepGroups {
  std::vector<Index> of;  ///< [blocks] group of each
  Index count = 0;
  std::string by;  ///< "season" or "runs", for outputs
};

/// @param runs     [blocks] a run's name: blocks of the same run stay together
/// @param seasons  [blocks] the season or movie of each block
/// @throws InputError if there are fewer runs, or seasons, than folds need.
SweepGroups sweep_groups(const SweepFolds& folds, const std::vector<std::string>& runs,
                         const std::vector<std::string>& seasons);

}  // namespace cinecortex::stages
