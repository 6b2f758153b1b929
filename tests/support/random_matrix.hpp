#pragma once
#include <random>

#include "cinecortex/core/types.hpp"

/// Standard normal numbers, the same for the same seed.
template <class Scalar = double>
cinecortex::Matrix<Scalar> random_matrix(cinecortex::Index rows, cinecortex::Index columns, unsigned seed) {
  std::mt19937_64 engine(seed);
  std::normal_distribution<Scalar> normal;
  cinecortex::Matrix<Scalar> values(rows, columns);
  for (Scalar& v : values.reshaped()) v = normal(engine);
  return values;
}
