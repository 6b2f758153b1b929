#include "finite.hpp"

#include <fmt/format.h>

#include "cinecortex/core/error.hpp"

namespace cinecortex::models {

void require_finite(const MatrixF& values, const std::string& who, const std::string& run, Range rows) {
  if (all_finite(values)) return;
  throw InputError(
      fmt::format("{}: {} gave a number that is not finite for TRs {} to {}; allowed: type = \"float32\" or "
                  "\"bfloat16\", or weights without such numbers",
                  run, who, rows.begin, rows.end - 1));
}

}  // namespace cinecortex::models
