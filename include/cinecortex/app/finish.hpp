#pragma once
#include <exception>
#include <string>

#include "cinecortex/parallel/communicator.hpp"

namespace cinecortex::app {

/// What a program's end means to the shell.
enum ExitCode : int { done = 0, wrong_input = 2, stage_failed = 3, stopped = 4 };

/// Ends a piece of work that every rank has been through, on some perhaps with a failure. Where all ranks
/// have come here they agree on one failure, rank 0 prints one line, and every rank gets the same exit code.
/// Where others are still in the middle of something (a failure that they cannot know of) this rank prints
/// the line and ends the job.
/// @param comm     used for nothing else, so that no other message can be mistaken for an arrival
/// @param failure  this rank's, or none
/// @param patience_s  how long a rank that failed waits for the others
/// Collective: over comm.
ExitCode finish(const parallel::Communicator& comm, std::exception_ptr failure, double patience_s = 20);

}  // namespace cinecortex::app
