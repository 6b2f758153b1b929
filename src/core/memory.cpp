#include "cinecortex/core/memory.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <fstream>
#include <limits>
#include <string_view>

#include "cinecortex/core/error.hpp"

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace cinecortex {
namespace {

constexpr std::int64_t unknown = std::numeric_limits<std::int64_t>::max();

/// The number behind `key` in a file of "key: number kB" lines.
std::int64_t kibibytes(const char* file, std::string_view key) {
  std::ifstream stream(file);
  std::string line;
  while (std::getline(stream, line)) {
    if (line.starts_with(key)) return std::stoll(line.substr(key.size())) * 1024;
  }
  return unknown;
}

/// A file with one number; "max" and a missing file are no limit.
std::int64_t number_in(const std::string& file) {
  std::ifstream stream(file);
  std::int64_t value = 0;
  return stream >> value ? value : unknown;
}

std::int64_t left_in_group() {
  const std::string folder = "/sys/fs/cgroup/";
  const std::int64_t most = number_in(folder + "memory.max");
  const std::int64_t used = number_in(folder + "memory.current");
  return most == unknown || used == unknown ? unknown : std::max<std::int64_t>(most - used, 0);
}

}  // namespace

std::int64_t resident_bytes() {
  return kibibytes("/proc/self/status", "VmRSS:");
}

std::int64_t peak_resident_bytes() {
  return kibibytes("/proc/self/status", "VmHWM:");
}

std::int64_t available_bytes() {
  return std::min(kibibytes("/proc/meminfo", "MemAvailable:"), left_in_group());
}

void keep_freed_memory() {
#ifdef __GLIBC__
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, -1);
#endif
}

void give_back_freed_memory() {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

std::int64_t parse_bytes(const std::string& text) {
  struct Unit {
    std::string_view name;
    double bytes;
  };
  constexpr double k = 1024;
  constexpr std::array<Unit, 14> units{{{"", 1},
                                        {"B", 1},
                                        {"K", k},
                                        {"KiB", k},
                                        {"M", k * k},
                                        {"MiB", k * k},
                                        {"G", k * k * k},
                                        {"GiB", k * k * k},
                                        {"T", k * k * k * k},
                                        {"TiB", k * k * k * k},
                                        {"KB", 1e3},
                                        {"MB", 1e6},
                                        {"GB", 1e9},
                                        {"TB", 1e12}}};
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  while (unit.starts_with(' ')) unit.remove_prefix(1);
  const auto known = std::find_if(units.begin(), units.end(), [&](const Unit& u) { return u.name == unit; });
  const bool fits =
      error == std::errc() && known != units.end() && number > 0 && number * known->bytes < 9e18;
  if (!fits) {
    throw InputError(fmt::format("{} is no amount of memory; write for example 2GiB, 512MiB or 16G", text));
  }
  return static_cast<std::int64_t>(number * known->bytes);
}

}  // namespace cinecortex
