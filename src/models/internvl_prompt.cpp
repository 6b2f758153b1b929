#include "internvl_prompt.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace cinecortex::models::internvl {
namespace {

constexpr std::string_view silence = "...", blank = " \t\n\r\f\v";

std::string_view text_of(std::span<const TranscriptRow> transcript, Index row) {
  if (row >= std::ssize(transcript)) return silence;
  const std::string& text = transcript[static_cast<std::size_t>(row)].text;
  return text.find_first_not_of(blank) == std::string::npos ? silence : std::string_view(text);
}

Index count_words(std::string_view text) {
  Index words = 0;
  for (std::size_t end = 0; (end = text.find_first_not_of(blank, end)) != std::string_view::npos; ++words) {
    end = std::min(text.find_first_of(blank, end), text.size());
  }
  return words;
}

/// What is behind the space before the last `words` words; words may be empty, as in Python's split(" ").
std::string_view last_words(std::string_view text, Index words) {
  if (words <= 0) return {};
  std::size_t begin = text.size();
  for (Index i = 0; i < words; ++i) {
    const std::size_t space = begin == 0 ? std::string_view::npos : text.rfind(' ', begin - 1);
    if (space == std::string_view::npos) return text;
    begin = space;
  }
  return text.substr(begin + 1);
}

}  // namespace

std::string normalised_pauses(std::string_view text) {
  constexpr std::size_t shortest = 3, longest_single = 8;
  std::string result;
  while (!text.empty()) {
    const std::size_t dots = std::min(text.find_first_not_of('.'), text.size());
    if (dots >= shortest) {
      result += dots > longest_single ? "\n\n" : "\n";
    } else {
      result += text.substr(0, dots);
    }
    text.remove_prefix(dots);
    const std::size_t words = std::min(text.find('.'), text.size());
    result += text.substr(0, words);
    text.remove_prefix(words);
  }
  result.erase(result.find_last_not_of(' ') + 1);
  return result;
}

PromptText prompt_text(std::span<const TranscriptRow> transcript, Index row, Index words) {
  const std::string_view own = text_of(transcript, row);
  std::string history;
  for (Index before = 0; before < row; ++before) history += text_of(transcript, before);
  return {normalised_pauses(last_words(history, words - count_words(own))), normalised_pauses(own)};
}

Prompt make_prompt(const PromptText& text, Index pictures, const PictureTokens& tokens,
                   const std::function<std::vector<std::int64_t>(std::string_view)>& encode) {
  Prompt prompt;
  const auto append = [&](const std::string& piece) {
    const auto ids = encode(piece);
    prompt.ids.insert(prompt.ids.end(), ids.begin(), ids.end());
  };
  append(text.history + (text.history.empty() ? "" : "\n") + "Frame1: ");
  for (Index i = 0; i < pictures; ++i) {
    if (i > 0) append(fmt::format("\nFrame{}: ", i + 1));
    prompt.ids.push_back(tokens.begin);
    prompt.pictures.push_back(std::ssize(prompt.ids));
    prompt.ids.insert(prompt.ids.end(), static_cast<std::size_t>(tokens.count), tokens.context);
    prompt.ids.push_back(tokens.end);
  }
  const Index end = std::ssize(prompt.ids);
  append("\n" + text.own);
  prompt.own = {std::min(end + 1, std::ssize(prompt.ids) - 1), std::ssize(prompt.ids)};
  return prompt;
}

}  // namespace cinecortex::models::internvl
