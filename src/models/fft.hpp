#pragma once
#include "cinecortex/core/types.hpp"

namespace cinecortex::models {

/// |FFT|² of each row, by the tensor library.
/// @param signals  [n, size] real
/// @param power    [n, size / 2 + 1], overwritten.   Collective: no.
void power_spectrum(const MatrixF& signals, MatrixF& power);
void power_spectrum(const MatrixD& signals, MatrixD& power);

}  // namespace cinecortex::models
