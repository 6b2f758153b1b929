#include "cinecortex/core/interrupt.hpp"

#include <atomic>
#include <csignal>

#include "cinecortex/core/error.hpp"

namespace cinecortex::interrupt {
namespace {
// Atomic and not sig_atomic_t, because other threads than the one that takes the signal read it.
std::atomic<bool> stop_requested = false;
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler may not wait for a lock");

void on_signal(int) {
  stop_requested = true;
}
}  // namespace

void install_handlers() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;  // libraries under MPI and HDF5 take an interrupted read for a failure
  sigemptyset(&action.sa_mask);
  for (const int signal : {SIGINT, SIGTERM, SIGUSR1}) sigaction(signal, &action, nullptr);
}

bool requested() noexcept {
  return stop_requested;
}

void check() {
  if (requested())
    throw Interrupted("stopped by a signal before anything was finished; the same command begins again");
}

}  // namespace cinecortex::interrupt
