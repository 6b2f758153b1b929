#pragma once
#include <cstdint>
#include <string_view>

#include "cinecortex/core/types.hpp"

namespace cinecortex::stages::synthetic {

/// Random numbers as a function of (seed, purpose, position), so that runs, subjects and parcels can be made
/// in any order and by any rank with the same result.   Collective: no.
class Random {
 public:
  /// @param purpose  unique to what is drawn, e.g. "noise/sub-01/s01e01a/0"
  Random(std::uint64_t seed, std::string_view purpose);

  double uniform();  ///< in [0, 1)
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  double normal();             ///< mean 0, variance 1
  Index integer(Index count);  ///< 0 … count-1

 private:
  std::uint64_t bits();
  std::uint64_t key_;
  std::uint64_t position_ = 0;
};

}  // namespace cinecortex::stages::synthetic
