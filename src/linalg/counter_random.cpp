#include "cinecortex/linalg/counter_random.hpp"

#include <cmath>
#include <numbers>

namespace cinecortex::linalg {
namespace {

/// The finalizer of splitmix64: every bit of the input changes every bit of the output.
std::uint64_t mix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

std::uint64_t key_of(std::uint64_t seed, Index row, Index column) {
  return mix(mix(mix(seed) ^ static_cast<std::uint64_t>(row)) ^ static_cast<std::uint64_t>(column));
}

double open_unit_interval(std::uint64_t bits) {
  return (static_cast<double>(bits >> 11) + 0.5) * 0x1p-53;
}

}  // namespace

double counter_normal(std::uint64_t seed, Index row, Index column) {
  const std::uint64_t key = key_of(seed, row, column);
  const double radius = std::sqrt(-2.0 * std::log(open_unit_interval(key)));
  return radius * std::cos(2.0 * std::numbers::pi * open_unit_interval(mix(key)));  // Box–Muller
}

Index counter_below(std::uint64_t seed, Index row, Index column, Index count) {
  const double unit = static_cast<double>(key_of(seed, row, column) >> 11) * 0x1p-53;  // [0, 1)
  return static_cast<Index>(unit * static_cast<double>(count));
}

}  // namespace cinecortex::linalg
