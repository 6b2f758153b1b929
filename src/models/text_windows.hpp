#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cinecortex/core/stimulus.hpp"
#include "cinecortex/core/types.hpp"

namespace cinecortex::models {

/// What a reader of a run's transcript has in mind at each TR: its last words up to then.
/// The texts of the TRs are put together as they are and cut at single spaces, as Python's
/// `" ".join("".join(texts).split(" ")[-words:])` does: two spaces have an empty word between them.
class TextWindows {
 public:
  /// @param words  most words of a window, at least 1
  TextWindows(std::span<const TranscriptRow> transcript, Index words);

  /// The window that ends with this TR; a single space where there is no text. Valid as long as this object.
  std::string_view at(Index row) const;

 private:
  std::string text_;
  std::vector<std::size_t> ends_;    ///< of each TR in text_
  std::vector<std::size_t> spaces_;  ///< where text_ has one
  std::size_t words_;
};

}  // namespace cinecortex::models
