#pragma once
#include <cstdint>

#include "cinecortex/core/types.hpp"

namespace cinecortex::linalg {

/// A standard normal number that depends on its arguments alone, so that a random matrix is the same however
/// its rows and columns are dealt to ranks.   Collective: no.
double counter_normal(std::uint64_t seed, Index row, Index column);

/// Likewise a whole number in [0, count), all of them equally likely.   @pre 0 < count < 2⁵³
Index counter_below(std::uint64_t seed, Index row, Index column, Index count);

}  // namespace cinecortex::linalg
