#include "speech.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "cinecortex/core/error.hpp"
#include "soundtrack.hpp"

#ifdef CINECORTEX_HAS_ESPEAK
#include <espeak-ng/speak_lib.h>
#endif

namespace cinecortex::stages::synthetic {

double SpokenPhrase::seconds() const {
  return double(samples.size()) / audio_rate_hz;
}

double SpokenPhrase::mean_word_length() const {
  const auto characters =
      std::accumulate(words.begin(), words.end(), std::size_t{0},
                      [](std::size_t sum, const std::string& word) { return sum + word.size(); });
  return double(characters) / double(words.size());
}

#ifndef CINECORTEX_HAS_ESPEAK

bool can_speak() noexcept {
  return false;
}

const std::vector<SpokenPhrase>& phrase_book() {
  throw InputError(
      "synth: this program was built without libespeak-ng, which speaks the made-up movies; install "
      "libespeak-ng-dev and build again");
}

#else

bool can_speak() noexcept {
  return true;
}

namespace {

constexpr const char* voice = "en-us";
constexpr double silence =
    0.01;  ///< of full scale: what is quieter after the last word is not the word any more
constexpr double shortest_word_s = 0.03;

/// What the library hands over while it speaks a phrase.
struct Recording {
  struct WordEvent {
    std::size_t character;
    double time_s;
  };
  std::vector<float> samples;
  std::vector<WordEvent> events;
};

int collect(short* wave, int count, espeak_EVENT* events) {
  auto& recording = *static_cast<Recording*>(events->user_data);
  if (wave != nullptr) {
    for (int i = 0; i < count; ++i) recording.samples.push_back(static_cast<float>(wave[i]) / 32768.0F);
  }
  for (; events->type != espeakEVENT_LIST_TERMINATED; ++events) {
    if (events->type != espeakEVENT_WORD || events->text_position < 1) continue;
    recording.events.push_back(
        {static_cast<std::size_t>(events->text_position - 1), events->audio_position / 1000.0});
  }
  return 0;
}

void start_library() {
  const int rate_hz = espeak_Initialize(AUDIO_OUTPUT_SYNCHRONOUS, 0, nullptr, espeakINITIALIZE_DONT_EXIT);
  if (rate_hz != static_cast<int>(audio_rate_hz) || espeak_SetVoiceByName(voice) != EE_OK) {
    throw InputError(
        fmt::format("synth: libespeak-ng does not speak (voice \"{}\", {} Hz where {} are wanted); is "
                    "espeak-ng-data installed?",
                    voice, rate_hz, audio_rate_hz));
  }
  espeak_SetSynthCallback(collect);
}

Recording record(const std::string& text) {
  Recording recording;
  if (espeak_Synth(text.c_str(), text.size() + 1, 0, POS_CHARACTER, 0, espeakCHARS_UTF8, nullptr,
                   &recording) != EE_OK ||
      espeak_Synchronize() != EE_OK || recording.samples.empty()) {
    throw Error("synth: libespeak-ng failed on \"" + text + "\"");
  }
  return recording;
}

void drop_silent_end(std::vector<float>& samples) {
  const auto loud = [](float value) { return std::abs(value) > silence; };
  samples.erase(std::find_if(samples.rbegin(), samples.rend(), loud).base(), samples.end());
}

void scale_to_unit_power(std::vector<float>& samples) {
  double power = 0;
  for (const float value : samples) power += double(value) * double(value);
  const auto scale = static_cast<float>(std::sqrt(double(samples.size()) / power));
  for (auto& value : samples) value *= scale;
}

/// Onset of each word. The library reports pairs such as "of the" as one word: a word without an event of its
/// own gets its share, by characters, of the time between the words around it.
std::vector<double> word_onsets(const std::vector<std::string>& words, const Recording& recording,
                                double end_s) {
  std::vector<std::size_t> characters;
  std::vector<std::pair<std::size_t, double> > known;  // character, time
  std::size_t begin = 0;
  for (const auto& word : words) {
    const auto event = std::find_if(recording.events.begin(), recording.events.end(),
                                    [&](const auto& e) { return e.character == begin; });
    if (event != recording.events.end() && (known.empty() || event->time_s > known.back().second)) {
      known.emplace_back(begin, std::min(event->time_s, end_s));
    }
    characters.push_back(begin);
    begin += word.size() + 1;
  }
  if (known.empty() || known.front().first > 0) known.insert(known.begin(), {0, 0.0});
  known.emplace_back(begin, end_s);
  std::vector<double> onsets;
  for (const std::size_t character : characters) {
    const auto after =
        std::find_if(known.begin(), known.end(), [&](const auto& k) { return k.first > character; });
    const auto before = after - 1;
    const double share = double(character - before->first) / double(after->first - before->first);
    onsets.push_back(before->second + share * (after->second - before->second));
  }
  return onsets;
}

SpokenPhrase speak(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : " ") + word;
  Recording recording = record(text);
  drop_silent_end(recording.samples);
  scale_to_unit_power(recording.samples);
  SpokenPhrase phrase{
      .words = words, .onsets_s = {}, .durations_s = {}, .samples = std::move(recording.samples)};
  phrase.onsets_s = word_onsets(words, recording, phrase.seconds());
  for (std::size_t i = 0; i < words.size(); ++i) {
    const double end_s = i + 1 < words.size() ? phrase.onsets_s[i + 1] : phrase.seconds();
    phrase.durations_s.push_back(std::max(end_s - phrase.onsets_s[i], shortest_word_s));
  }
  return phrase;
}

std::vector<SpokenPhrase> speak_script() {
  start_library();
  std::vector<SpokenPhrase> book;
  for (const auto& words : write_script()) book.push_back(speak(words));
  std::stable_sort(book.begin(), book.end(), [](const SpokenPhrase& a, const SpokenPhrase& b) {
    return a.mean_word_length() < b.mean_word_length();
  });
  return book;
}

}  // namespace

const std::vector<SpokenPhrase>& phrase_book() {
  static const std::vector<SpokenPhrase> book = speak_script();
  return book;
}

#endif

}  // namespace cinecortex::stages::synthetic
