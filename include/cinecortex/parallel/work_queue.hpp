#pragma once
#include <functional>
#include <optional>
#include <vector>

#include "cinecortex/parallel/communicator.hpp"

namespace cinecortex::parallel {

/// What one rank did while the queue was worked off.
struct QueueReport {
  Index tasks = 0;
  double busy_s = 0;
  double idle_s = 0;  ///< waiting at the end for the others, and for the next task
  struct TaskTime {
    Index task = 0;
    double seconds = 0;
  };
  std::vector<TaskTime> times;  ///< in the order in which this rank did them, follow-up tasks included
};

using Announce = std::function<void(Index task)>;

/// Works off tasks 0 … count-1: each rank takes the next one as soon as it is free, so no rank idles while
/// work is left. Order the tasks longest first. A task that throws stops the handing out of tasks, and every
/// rank throws the same error (as `agree`); a requested stop (core/interrupt.hpp) likewise as Interrupted.
/// @param execute    makes no collective call; runs on the calling thread
/// @param completed  called on rank 0 only, one call at a time but from a thread of the queue's own, with the
///                   task that is done; may name a follow-up task (any number ≥ count), which the rank that
///                   finished gets next, e.g. to join the parts of which it did the last
/// @param announce   if given, each rank takes its tasks one ahead: called on the calling thread with the task that
///                   follows the one about to be executed, so that it can be prepared meanwhile; it may still be dropped,
///                   where the queue is stopped. At the end a rank may wait for two tasks of another instead of one.
/// Collective: over comm.
QueueReport run_queue(const Communicator& comm, Index count, const std::function<void(Index task)>& execute,
                      const std::function<std::optional<Index>(Index task)>& completed = {},
                      const Announce& announce = {});

}  // namespace cinecortex::parallel
