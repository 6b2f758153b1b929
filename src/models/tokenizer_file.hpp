#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "added_tokens.hpp"
#include "byte_pairs.hpp"

/// What a `tokenizer.json` says, checked and reduced to what byte-level byte-pair tokenizers need.
namespace cinecortex::models {

/// One step of the pre-tokenizer: every piece of text is split further.
struct SplitStep {
  enum class Kind {
    expression,    ///< at the matches of an expression
    prefix_space,  ///< not split, but a space is put in front where there is none
  } kind = Kind::expression;
  std::string expression{};
  bool keep_matches = true;  ///< as pieces of their own
  bool keep_between = true;
};

struct TokenizerFile {
  std::vector<AddedToken> added;  ///< special ones first
  bool nfc = false;               ///< text is normalized
  std::vector<SplitStep> steps;   ///< before words become bytes
  BytePairFile model;
  std::vector<TokenId> prefix, suffix;  ///< special tokens around a text
};

/// `truncation` and `padding` are left to the caller, as the reference's users do.
/// @throws InputError naming the file, the place in it and what is there: not JSON; keys missing or of
///         another type; a component that is not supported (by its name).   Collective: no.
TokenizerFile read_tokenizer_file(const std::filesystem::path& file);

}  // namespace cinecortex::models
