#include "cinecortex/core/interrupt.hpp"

#include <csignal>

#include "cinecortex/core/error.hpp"

namespace cinecortex::interrupt {
namespace {
volatile std::sig_atomic_t stop_requested = 0;
void on_signal(int) {
  stop_requested = 1;
}
}  // namespace

void install_handlers() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  sigemptyset(&action.sa_mask);
  for (const int signal : {SIGINT, SIGTERM, SIGUSR1}) sigaction(signal, &action, nullptr);
}

bool requested() noexcept {
  return stop_requested != 0;
}

void check() {
  if (requested()) throw Interrupted("stopped by a signal; the same command continues from here");
}

}  // namespace cinecortex::interrupt
