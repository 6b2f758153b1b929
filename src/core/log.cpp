#include "cinecortex/core/log.hpp"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <array>
#include <utility>

#include "cinecortex/core/error.hpp"

namespace cinecortex::log {
namespace {

constexpr std::array<std::pair<std::string_view, Level>, 5> levels{{{"debug", Level::debug},
                                                                    {"info", Level::info},
                                                                    {"warning", Level::warning},
                                                                    {"error", Level::error},
                                                                    {"off", Level::off}}};

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::debug:
      return spdlog::level::debug;
    case Level::info:
      return spdlog::level::info;
    case Level::warning:
      return spdlog::level::warn;
    case Level::error:
      return spdlog::level::err;
    case Level::off:
      break;
  }
  return spdlog::level::off;
}

}  // namespace

Level parse_level(std::string_view name) {
  for (const auto& [text, level] : levels) {
    if (text == name) return level;
  }
  throw InputError(fmt::format("--log-level {}: allowed are debug, info, warning, error, off", name));
}

void configure(int rank, int ranks, Level level) {
  auto logger =
      std::make_shared<spdlog::logger>("cinecortex", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
  const auto wanted = to_spdlog(level);
  logger->set_level(rank == 0 ? wanted : std::max(wanted, spdlog::level::warn));
  logger->set_pattern("%v");
  if (ranks > 1 && rank > 0) logger->set_pattern(fmt::format("[rank {}] %v", rank));
  spdlog::set_default_logger(std::move(logger));
}

void write(Level level, std::string_view message) {
  switch (level) {
    case Level::warning:
      spdlog::warn("warning: {}", message);
      break;
    case Level::error:
      spdlog::error("error: {}", message);
      break;
    default:
      spdlog::log(to_spdlog(level), "{}", message);
  }
}

}  // namespace cinecortex::log
