#pragma once
#include <chrono>
#include <string>

namespace cinecortex {

class Stopwatch {
 public:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// What this thread has had of a processor: less than the time that passed, where it waited.
double thread_seconds();

std::string utc_now();  ///< ISO 8601, e.g. 2026-01-31T12:00:00Z

}  // namespace cinecortex
