#pragma once
#include "context.hpp"
#include "cinecortex/stages/summary.hpp"

namespace cinecortex::stages {

/// Notes in manifest.json what a stage did, with what program, settings, ranks and threads.
/// Collective: over comm.
void update_manifest(const Config& config, const Summary& summary, const parallel::Communicator& comm);

}  // namespace cinecortex::stages
