#pragma once
#include "cinecortex/stages/summary.hpp"
#include "context.hpp"

namespace cinecortex::stages {

/// Notes in manifest.json what a stage did, with what program, settings, ranks and threads.
/// Collective: over comm.
void update_manifest(const Config& config, const Summary& summary, const parallel::Communicator& comm);

}  // namespace cinecortex::stages
