#include "text_windows.hpp"

#include <algorithm>

namespace cinecortex::models {

TextWindows::TextWindows(std::span<const TranscriptRow> transcript, Index words)
    : words_(static_cast<std::size_t>(words)) {
  for (const auto& row : transcript) {
    text_ += row.text;
    ends_.push_back(text_.size());
  }
  for (std::size_t i = text_.find(' '); i != std::string::npos; i = text_.find(' ', i + 1))
    spaces_.push_back(i);
}

std::string_view TextWindows::at(Index row) const {
  const std::size_t end = ends_.at(static_cast<std::size_t>(row));
  const auto before =
      static_cast<std::size_t>(std::lower_bound(spaces_.begin(), spaces_.end(), end) - spaces_.begin());
  const std::size_t begin = before < words_ ? 0 : spaces_[before - words_] + 1;
  return begin == end ? std::string_view(" ") : std::string_view(text_).substr(begin, end - begin);
}

}  // namespace cinecortex::models
