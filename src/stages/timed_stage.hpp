#pragma once
#include <functional>
#include <string>

#include "cinecortex/parallel/communicator.hpp"
#include "cinecortex/stages/summary.hpp"

namespace cinecortex::stages {

/// "3 outputs made, 4 kept".
std::string outputs_so_far(const Summary& summary);

/// What every stage has around its work: the time it took, and where a signal stops it, how far it came by then.
/// @param work    fills in the summary, `done` and `kept` as it goes
/// @param so_far  what is finished when a signal stops the work, on rank 0
/// @throws what `work` throws; Interrupted at once if a stop was asked for before.   Collective: over comm.
Summary timed_stage(const std::string& name, const parallel::Communicator& comm,
                    const std::function<void(Summary& summary)>& work,
                    const std::function<std::string(const Summary& summary)>& so_far = outputs_so_far);

}  // namespace cinecortex::stages
