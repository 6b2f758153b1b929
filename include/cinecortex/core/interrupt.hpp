#pragma once

/// Stopping on SIGINT, SIGTERM or SIGUSR1 at a safe point: what is finished is kept, and the same command
/// continues. The flag is the one piece of global state a signal handler can reach. A signal may reach one rank or
/// all: a rank that sees the flag throws where all ranks agree (`parallel::agree`), so all stop at the same place.
namespace cinecortex::interrupt {

void install_handlers();    ///< for main
bool requested() noexcept;  ///< on this rank; from any thread
void check();               ///< @throws Interrupted if requested

}  // namespace cinecortex::interrupt
