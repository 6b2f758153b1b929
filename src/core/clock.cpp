#include "cinecortex/core/clock.hpp"

#include <fmt/chrono.h>

namespace cinecortex {

std::string utc_now() {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
}

}  // namespace cinecortex
