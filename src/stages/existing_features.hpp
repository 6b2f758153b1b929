#pragma once
#include "extraction_plan.hpp"

namespace cinecortex::stages {

/// The plan of a program that cannot extract: every space's features as they are on disk, all of them current. Whether
/// movies and weights changed since is not looked at.
/// @throws InputError naming the first feature file that is missing or made with other settings.
///   Collective: over comm.
ExtractionPlan plan_of_existing_features(const Config& config, const Context& context,
                                         const parallel::Communicator& comm);

}  // namespace cinecortex::stages
