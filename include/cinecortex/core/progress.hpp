#pragma once
#include <chrono>
#include <string>

namespace cinecortex {

/// Progress of one long step on stderr, with rate and time left: a bar that redraws itself on a
/// terminal, a line a minute otherwise. Silent unless `shown` (rank 0, level info or lower).
/// Not thread-safe. Collective: no.
class Progress {
 public:
  /// @param what   the step, e.g. "extract"
  /// @param total  amount of work in `unit`s; 0 is allowed
  Progress(std::string what, double total, std::string unit, bool shown);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void set(double done);  ///< work done so far
  void add(double amount) { set(done_ + amount); }
  void finish();  ///< ends the bar; called by the destructor too

 private:
  void draw(bool last);
  std::string what_, unit_;
  double total_, done_ = 0;
  bool shown_, terminal_, finished_ = false;
  std::chrono::steady_clock::time_point start_, drawn_;
};

std::string format_duration(double seconds);  ///< "3 h 12 min", "4 min 05 s", "12.3 s"
std::string format_bytes(double bytes);       ///< "1.4 GiB"

}  // namespace cinecortex
