#pragma once
#include <vector>

#include "cinecortex/core/stimulus.hpp"
#include "latents.hpp"
#include "speech.hpp"

namespace cinecortex::stages::synthetic {

/// What is said in a run: talkative and silent stretches, plain and long-winded ones.
struct Narration {
  std::vector<float> samples;  ///< audio_rate_hz, from movie time 0, at its level in the soundtrack
  Transcript transcript;       ///< L rows; a word stands in the TR in which it begins
};

/// Phrases of the book, one after the other, chosen by word length and spaced by the talk latents.
/// Collective: no.
Narration narrate(std::uint64_t seed, const PlannedRun& run, const MatrixD& talk, double tr_s,
                  const std::vector<SpokenPhrase>& book);

}  // namespace cinecortex::stages::synthetic
