#pragma once
#include <string>

#include "cinecortex/core/types.hpp"

namespace cinecortex::models {

/// @param values  what network `who` made of TRs `rows` of a run
/// @throws InputError with run, TRs and what is allowed, if a number is NaN or infinite.   Collective: no.
void require_finite(const MatrixF& values, const std::string& who, const std::string& run, Range rows);

}  // namespace cinecortex::models
