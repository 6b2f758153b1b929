#pragma once
#include <string>
#include <vector>

#include "cinecortex/encoding/stacking.hpp"

namespace cinecortex::stages {

/// Mean weight of each model over all targets. Where weights are shares, rank 0 warns of a model that takes nearly all:
/// that hints at redundancy, or at a leak.
/// @param whose  in front of a model's name in the warning
/// Collective: over comm.
std::vector<double> mean_weights(const encoding::StackFit& fit, Index targets_global,
                                 const std::string& method, const std::vector<std::string>& models,
                                 const std::string& whose, const parallel::Communicator& comm);

}  // namespace cinecortex::stages
