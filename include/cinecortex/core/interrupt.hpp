#pragma once

/// Stopping on SIGINT, SIGTERM or SIGUSR1 at a safe point: what is finished is kept, and the same command
/// continues. The flag is the one piece of global state a signal handler can reach.
namespace cinecortex::interrupt {

void install_handlers();    ///< for main
bool requested() noexcept;  ///< on this rank
void check();               ///< @throws Interrupted if requested

}  // namespace cinecortex::interrupt
