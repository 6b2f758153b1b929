#include "narration.hpp"

#include <algorithm>
#include <cmath>

#include "random.hpp"
#include "soundtrack.hpp"

namespace cinecortex::stages::synthetic {
namespace {

constexpr double speech_level = 0.02;  ///< root mean square; the bands together have about 0.1
constexpr double longest_pause_s = 10;
constexpr double shortest_pause_s = 0.12;
constexpr Index choice_spread = 8;   ///< phrases of about the wanted word length to choose from, up and down
constexpr double quiet_end_s = 0.3;  ///< nobody speaks at the very end of a run

/// Share of the time that is spoken, from the talk latent: 0.05 … 0.95.
double talkativeness(double latent) {
  return 0.05 + 0.9 / (1 + std::exp(-1.8 * latent));
}

const SpokenPhrase& choose(const std::vector<SpokenPhrase>& book, double latent, Random& random) {
  const auto last = static_cast<Index>(book.size()) - 1;
  const double wanted = (0.5 + 0.5 * std::tanh(1.2 * latent)) * double(last);
  const Index spread = random.integer(2 * choice_spread + 1) - choice_spread;
  return book[static_cast<std::size_t>(std::clamp<Index>(std::lround(wanted) + spread, 0, last))];
}

void place(const SpokenPhrase& phrase, double begin_s, double tr_s, Narration& narration) {
  const auto first = static_cast<std::size_t>(std::llround(begin_s * audio_rate_hz));
  for (std::size_t i = 0; i < phrase.samples.size(); ++i) {
    narration.samples[first + i] = static_cast<float>(speech_level) * phrase.samples[i];
  }
  const auto last_row = static_cast<Index>(narration.transcript.size()) - 1;
  for (std::size_t i = 0; i < phrase.words.size(); ++i) {
    // Milliseconds are what the library knows and what a reader wants to see.
    const double onset_s = std::round((begin_s + phrase.onsets_s[i]) * 1000) / 1000;
    const Index row = std::clamp<Index>(static_cast<Index>(onset_s / tr_s), 0, last_row);
    auto& line = narration.transcript[static_cast<std::size_t>(row)];
    line.text += phrase.words[i] + ' ';
    line.words.push_back(phrase.words[i]);
    line.onsets_s.push_back(onset_s);
    line.durations_s.push_back(std::round(phrase.durations_s[i] * 1000) / 1000);
  }
}

}  // namespace

Narration narrate(std::uint64_t seed, const PlannedRun& run, const MatrixD& talk, double tr_s,
                  const std::vector<SpokenPhrase>& book) {
  Narration narration;
  narration.samples.assign(static_cast<std::size_t>(std::llround(run.duration_s * audio_rate_hz)), 0.0F);
  narration.transcript.resize(static_cast<std::size_t>(run.rows));
  Random random(seed, "narration/" + run.id.task);
  double time_s = random.uniform(0, 1);
  while (true) {
    const SpokenPhrase& phrase = choose(book, at_time(talk, 1, time_s / tr_s), random);
    if (time_s + phrase.seconds() + quiet_end_s > run.duration_s) return narration;
    place(phrase, time_s, tr_s, narration);
    time_s += phrase.seconds();
    const double spoken = talkativeness(at_time(talk, 0, time_s / tr_s));
    const double pause_s = phrase.seconds() * (1 - spoken) / spoken * random.uniform(0.8, 1.2);
    time_s += std::clamp(pause_s, shortest_pause_s, longest_pause_s);
  }
}

}  // namespace cinecortex::stages::synthetic
