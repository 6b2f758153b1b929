#pragma once
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cinecortex/core/stimulus.hpp"
#include "cinecortex/core/types.hpp"

/// What InternVL reads for a TR, as the authors of arXiv 2510.06235 put it: the words so far, the pictures, the TR's own
/// words; no chat template, no special tokens in front.
namespace cinecortex::models::internvl {

/// The two texts of a prompt, pauses already turned into line breaks.
struct PromptText {
  std::string history;  ///< the run's words before the TR; "" where there are none
  std::string own;      ///< the TR's words
};

/// Runs of 3 to 8 dots become a line break, longer ones two; spaces at the end go.   Collective: no.
std::string normalised_pauses(std::string_view text);

/// The texts of TR `row`. A TR without words, or beyond the transcript, counts as "...".
/// @param words  of history and TR together, parted by spaces; the oldest are left out
/// Collective: no.
PromptText prompt_text(std::span<const TranscriptRow> transcript, Index row, Index words);

/// Ids of a prompt, and where in them is what. Tokens of pictures are placeholders.
struct Prompt {
  std::vector<std::int64_t> ids;
  std::vector<Index> pictures;  ///< position of each picture's first token, ascending
  Range own;                    ///< tokens of the TR's words; never empty
};

/// Ids of the special tokens around and in a picture.
struct PictureTokens {
  std::int64_t begin = 0, context = 0, end = 0;
  Index count = 0;  ///< of context tokens in a picture
};

/// history⏎Frame1: <picture>⏎Frame2: <picture>⏎ … ⏎own. Special tokens part a text before anything else is done to it,
/// so that the pieces between pictures are encoded on their own. The TR's tokens are those behind the token that follows
/// the last picture, which is the line break; where the break has grown together with all of the TR's text (a silent
/// TR), it is that token.
/// @param encode    text to ids, without special tokens in front or behind
/// @param pictures  how many, ≥ 1
/// Collective: no.
Prompt make_prompt(const PromptText& text, Index pictures, const PictureTokens& tokens,
                   const std::function<std::vector<std::int64_t>(std::string_view)>& encode);

}  // namespace cinecortex::models::internvl
