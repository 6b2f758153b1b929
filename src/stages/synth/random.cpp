#include "random.hpp"

#include <charconv>
#include <cmath>
#include <numbers>

#include "cinecortex/core/digest.hpp"

namespace cinecortex::stages::synthetic {
namespace {

/// The finaliser of SplitMix64: a bijection in which every bit of the input reaches every bit of the output.
std::uint64_t scramble(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

std::uint64_t key_of(std::uint64_t seed, std::string_view purpose) {
  const std::string hex = Digest().add(static_cast<std::int64_t>(seed)).add(purpose).hex();
  std::uint64_t key = 0;
  std::from_chars(hex.data(), hex.data() + 16, key, 16);
  return key;
}

}  // namespace

Random::Random(std::uint64_t seed, std::string_view purpose) : key_(key_of(seed, purpose)) {}

std::uint64_t Random::bits() {
  return scramble(key_ + 0x9e3779b97f4a7c15ULL * ++position_);
}

double Random::uniform() {
  return static_cast<double>(bits() >> 11) * 0x1p-53;
}

double Random::normal() {
  const double radius = std::sqrt(-2 * std::log(1 - uniform()));
  return radius * std::cos(2 * std::numbers::pi * uniform());
}

Index Random::integer(Index count) {
  return static_cast<Index>(uniform() * static_cast<double>(count));
}

}  // namespace cinecortex::stages::synthetic
