#include <algorithm>
#include <array>
#include <string_view>

#include "random.hpp"
#include "speech.hpp"

namespace cinecortex::stages::synthetic {
namespace {

constexpr Index phrases = 120;
constexpr std::uint64_t text_seed =
    7;  // the text is part of the program: every data set is spoken from the same book

/// Words of one kind, of which the first half is short and the second long.
using Kind = std::array<std::string_view, 16>;
constexpr Kind subjects{"we",           "you",       "they",          "I",           "she",
                        "he",           "the dog",   "a boy",         "astronomers", "engineers",
                        "grandmothers", "everybody", "photographers", "neighbours",  "musicians",
                        "somebody"};
constexpr Kind verbs{"see",         "got",        "met",        "had",       "ate",        "hid",
                     "saw",         "cut",        "discovered", "described", "remembered", "investigated",
                     "transported", "understood", "celebrated", "protected"};
constexpr Kind qualities{"an old",      "a big",      "the red",       "a new",
                         "my",          "his",        "a wet",         "the",
                         "remarkable",  "mysterious", "extraordinary", "wonderful",
                         "complicated", "beautiful",  "transparent",   "international"};
constexpr Kind objects{"cat",           "hat",         "bus",
                       "map",           "egg",         "car",
                       "bed",           "tree",        "constellations",
                       "photographs",   "instruments", "mountains",
                       "conversations", "machinery",   "strawberries",
                       "thunderstorms"};
constexpr Kind endings{
    "at sea",    "by six",      "in a bag", "on top",      "so far",       "all day",    "for fun",    "",
    "yesterday", "underground", "together", "immediately", "occasionally", "everywhere", "afterwards", ""};

void append_words(std::vector<std::string>& words, std::string_view text) {
  while (!text.empty()) {
    const auto space = std::min(text.find(' '), text.size());
    words.emplace_back(text.substr(0, space));
    text.remove_prefix(std::min(space + 1, text.size()));
  }
}

}  // namespace

std::vector<std::vector<std::string>> write_script() {
  std::vector<std::vector<std::string>> script;
  Random random(text_seed, "script");
  for (Index i = 0; i < phrases; ++i) {
    const double share_long = double(i) / double(phrases - 1);
    std::vector<std::string> words;
    for (const Kind* kind : {&subjects, &verbs, &qualities, &objects, &endings}) {
      const Index half = random.uniform() < share_long ? 8 : 0;
      append_words(words, (*kind)[static_cast<std::size_t>(half + random.integer(8))]);
    }
    words.back() += '.';
    script.push_back(std::move(words));
  }
  return script;
}

}  // namespace cinecortex::stages::synthetic
