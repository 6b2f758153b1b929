#pragma once
#include <string>
#include <vector>

#include "digests.hpp"

namespace cinecortex::stages {

/// Spaces (positions) that a run has no features for, e.g. the language models of a silent movie.
std::vector<Index> missing_models(const Experiment& experiment, const FeatureTable& features,
                                  const std::string& run);

/// The sets of missing models that occur among these runs, without the empty one, in order of appearance.
std::vector<std::vector<Index>> missing_sets(const Experiment& experiment, const FeatureTable& features,
                                             const std::vector<std::string>& runs);

/// Name of a set in a stack's file: its spaces joined by "+".
std::string set_name(const Experiment& experiment, const std::vector<Index>& set);

}  // namespace cinecortex::stages
