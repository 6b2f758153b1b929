#pragma once
#include <fmt/format.h>

#include <filesystem>
#include <string>

#include "cinecortex/core/clock.hpp"
#include "cinecortex/parallel/communicator.hpp"

/// Work that ranks do together, timed from barrier to barrier.
namespace cinecortex::benchmarks {

class Phases {
 public:
  explicit Phases(const parallel::Communicator& comm) : comm_(comm) {}

  template <class Fn>
  auto run(const char* name, Fn&& fn) {
    comm_.barrier();
    const Stopwatch clock;
    auto result = fn();
    comm_.barrier();
    note(name, clock.seconds());
    return result;
  }
  void note(const char* name, double seconds) {
    text_ += fmt::format("{}\"{}\": {:.6f}", text_.empty() ? "" : ", ", name, seconds);
  }
  /// Seconds by name, as the inside of a JSON object.
  const std::string& text() const { return text_; }

 private:
  const parallel::Communicator& comm_;
  std::string text_;
};

/// Seconds of an all-to-all sum of one number, and of 8 million.   Collective: over comm.
void time_network(Phases& phases, const parallel::Communicator& comm);

/// Principal components, a tenth as many as columns.   Collective: over comm.
void time_components(Phases& phases, Index rows, Index columns, const parallel::Communicator& comm);

/// Simplex weights of six models, leave-one-run-out included.   Collective: over comm.
void time_stacking(Phases& phases, Index rows, Index targets, const parallel::Communicator& comm);

/// Writes float32 [rows, targets] together, and reads it back, each rank its targets.   Collective: over comm.
void time_files(Phases& phases, const std::filesystem::path& folder, Index rows, Index targets,
                const parallel::Communicator& comm);

}  // namespace cinecortex::benchmarks
