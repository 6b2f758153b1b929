#pragma once
#include <array>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "byte_pairs.hpp"
#include "text_pattern.hpp"

namespace cinecortex::models {

/// A token that is found in the text before anything else is split.
struct AddedToken {
  TokenId id = 0;
  std::string content;
  bool single_word = false;  ///< only where no word character touches it
  bool lstrip = false;       ///< takes the white space before it
  bool rstrip = false;       ///< takes the white space behind it
  bool normalized = false;   ///< is looked for in the normalized text
  bool special = false;      ///< left out by decode() where asked
};

/// Finds added tokens: leftmost first, the longest of those that begin there.   Collective: no.
class AddedTokens {
 public:
  /// @param tokens  of two with the same content the first counts
  /// @pre no content is empty
  explicit AddedTokens(std::vector<AddedToken> tokens);

  /// Calls on_text with each stretch between tokens, never empty, and on_token with each token, in order.
  /// @pre well-formed UTF-8
  void split(std::string_view text, const std::function<void(std::string_view)>& on_text,
             const std::function<void(TokenId)>& on_token) const;

 private:
  const AddedToken* longest_at(std::string_view text, std::size_t at) const;
  bool touches_word(std::string_view text, std::size_t begin, std::size_t end) const;

  std::vector<AddedToken> tokens_;  ///< ascending by content
  std::array<bool, 256> begins_{};  ///< bytes that a token begins with
  TextPattern word_, space_;        ///< one character of the kind
};

}  // namespace cinecortex::models
