#pragma once
#include <vector>

#include "cinecortex/core/types.hpp"

/// Which part of a run's sound a TR hears, and which of the encoder's tokens are its own.
namespace cinecortex::models::whisper {

inline constexpr Index rate_hz = 16000;
inline constexpr Index hop = 160;                ///< samples between frames of the spectrogram: 10 ms
inline constexpr Index frames_per_token = 2;     ///< stride of the second convolution
inline constexpr double tokens_per_second = 50;  ///< rate_hz / hop / frames_per_token

/// The samples [begin, end) of a run that row `row` hears: `context` samples up to the TR's end, fewer at the run's
/// start. Where the sound ends inside the TR the clip ends there; a TR after the sound's end hears silence.
/// @param sound  samples that the run has.   Collective: no.
Range clip_of_row(Index row, double tr_s, Index context, Index sound);

/// Tokens that one TR spans, the last one whole: 75 for 1.49 s.   Collective: no.
Index tokens_per_row(double tr_s);

/// Positions of `count` tokens over the last `span` tokens of a clip: round(q − linspace(span, 1, count)), half to even,
/// clamped at 0. q is the first position that hears only padding: the clip's ceil(samples / hop) frames, halved and
/// rounded up by the second convolution's stride.
/// @pre 1 ≤ count, 1 ≤ span
/// @return ascending, oldest first.   Collective: no.
std::vector<Index> token_positions(Index samples, Index span, Index count);

}  // namespace cinecortex::models::whisper
