#include "timed_stage.hpp"

#include <fmt/format.h>

#include "cinecortex/core/clock.hpp"
#include "cinecortex/core/error.hpp"
#include "cinecortex/core/interrupt.hpp"
#include "cinecortex/parallel/agree.hpp"

namespace cinecortex::stages {

std::string outputs_so_far(const Summary& summary) {
  return fmt::format("{} {} made, {} kept", summary.done, summary.done == 1 ? "output" : "outputs",
                     summary.kept);
}

Summary timed_stage(const std::string& name, const parallel::Communicator& comm,
                    const std::function<void(Summary&)>& work,
                    const std::function<std::string(const Summary&)>& so_far) {
  const Stopwatch clock;
  Summary summary{.stage = name};
  try {
    parallel::agree(comm, [] { interrupt::check(); });
    work(summary);
  } catch (const Interrupted&) {
    throw Interrupted(
        fmt::format("stopped by a signal during {}: {}; the same command continues", name, so_far(summary)));
  }
  summary.seconds = clock.seconds();
  return summary;
}

}  // namespace cinecortex::stages
