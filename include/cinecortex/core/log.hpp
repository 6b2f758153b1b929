#pragma once
#include <fmt/format.h>

#include <string>
#include <string_view>

/// Messages for people, on stderr. Information comes from rank 0, warnings from every rank (with its
/// number), so that nothing a rank has to say is lost and nothing is said P times.
namespace cinecortex::log {

enum class Level { debug, info, warning, error, off };

Level parse_level(std::string_view name);  ///< @throws InputError naming the levels there are

/// Called once by main. `ranks` > 1 puts the rank in front of warnings.
void configure(int rank, int ranks, Level level);

void write(Level level, std::string_view message);

template <class... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::debug, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::info, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void warn(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::warning, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace cinecortex::log
