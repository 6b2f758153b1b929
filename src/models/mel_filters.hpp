#pragma once
#include "cinecortex/models/log_mel.hpp"

namespace cinecortex::models {

/// Triangles over the frequencies of a spectrum, equally spaced on the mel scale.
/// @return [bands, fft_size / 2 + 1]
/// @throws InputError if a band holds no frequency of the spectrum (too many bands for the window).
/// Collective: no.
MatrixD mel_filters(const LogMelSettings& settings, Index fft_size);

}  // namespace cinecortex::models
