#pragma once
#include <string>
#include <vector>

#include "cinecortex/core/types.hpp"

namespace cinecortex::stages::synthetic {

/// A few words with their sound and the times at which each is spoken, from the phrase's start.
struct SpokenPhrase {
  std::vector<std::string> words;
  std::vector<double> onsets_s, durations_s;
  std::vector<float> samples;  ///< mono, audio_rate_hz, root mean square 1
  double seconds() const;
  double mean_word_length() const;
};

/// The made-up text, by rising word length: phrases of three to seven words.   Collective: no.
std::vector<std::vector<std::string>> write_script();

bool can_speak() noexcept;  ///< built with libespeak-ng

/// The script as libespeak-ng speaks it, from short words to long ones. Spoken once a process and in a fixed
/// order: the library carries state from one text to the next (its result depends on what it said before) and
/// cannot be started twice, so this is how every rank and every call hears the same.
/// @throws InputError: built without libespeak-ng; its voices are not installed.   Collective: no.
const std::vector<SpokenPhrase>& phrase_book();

}  // namespace cinecortex::stages::synthetic
