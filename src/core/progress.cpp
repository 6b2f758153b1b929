#include "cinecortex/core/progress.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace cinecortex {
namespace {
constexpr std::chrono::milliseconds terminal_period{200}, line_period{60'000};
constexpr int bar_width = 28;
}  // namespace

Progress::Progress(std::string what, double total, std::string unit, bool shown)
    : what_(std::move(what)),
      unit_(std::move(unit)),
      total_(total),
      shown_(shown),
      terminal_(isatty(STDERR_FILENO) == 1),
      start_(std::chrono::steady_clock::now()),
      drawn_(start_) {}

Progress::~Progress() {
  finish();
}

void Progress::set(double done) {
  done_ = done;
  if (!shown_ || finished_) return;
  const auto now = std::chrono::steady_clock::now();
  if (now - drawn_ < (terminal_ ? terminal_period : line_period)) return;
  drawn_ = now;
  draw(false);
}

void Progress::finish() {
  if (finished_) return;
  finished_ = true;
  if (shown_ && terminal_) draw(true);
}

void Progress::draw(bool last) {
  const double elapsed = std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  const double rate = elapsed > 0 ? done_ / elapsed : 0;
  const double share = total_ > 0 ? std::clamp(done_ / total_, 0.0, 1.0) : 1.0;
  const std::string left = last       ? "in " + format_duration(elapsed)
                           : rate > 0 ? format_duration((total_ - done_) / rate) + " left"
                                      : std::string("…");
  const std::string numbers =
      fmt::format("{:.0f}/{:.0f} {} ({:.3g} {}/s), {}", done_, total_, unit_, rate, unit_, left);
  if (terminal_) {
    const int filled = static_cast<int>(std::lround(share * bar_width));
    std::string bar;
    for (int i = 0; i < bar_width; ++i) bar += i < filled ? "█" : "·";
    fmt::print(stderr, "\r\033[K  {:<10} {} {:3.0f}%  {}{}", what_, bar, share * 100, numbers,
               last ? "\n" : "");
  } else {
    fmt::print(stderr, "  {}: {:.0f}%, {}\n", what_, share * 100, numbers);
  }
  std::fflush(stderr);
}

std::string format_duration(double seconds) {
  if (!(seconds < 1e9)) return "?";
  if (seconds < 60) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<long>(std::llround(seconds));
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole % 3600 / 60);
}

std::string format_bytes(double bytes) {
  constexpr std::array units{"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  std::size_t unit = 0;
  while (bytes >= 1024 && unit + 1 < units.size()) {
    bytes /= 1024;
    ++unit;
  }
  return fmt::format("{:.{}f} {}", bytes, unit == 0 ? 0 : 1, units[unit]);
}

}  // namespace cinecortex
