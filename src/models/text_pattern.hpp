#pragma once
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace cinecortex::models {

/// A regular expression of a tokenizer file, by PCRE2 with the meaning that Oniguruma, which the reference
/// uses, gives it. Not thread-safe.   Collective: no.
class TextPattern {
 public:
  struct Match {
    std::size_t begin, end;
  };

  /// @throws InputError: not a regular expression; one that matches nothing at all; a construct that the two
  ///         libraries read differently.
  explicit TextPattern(const std::string& expression);

  /// The first match at or after `from`. Time linear in what is passed over for the tokenizers' patterns.
  /// @pre    text is well-formed UTF-8, `from` the start of a character
  /// @throws Error where the library gives up (the expression needs too much backtracking).
  std::optional<Match> find(std::string_view text, std::size_t from) const;

 private:
  template <auto free>
  struct Deleter {
    template <class T>
    void operator()(T* pointer) const {
      free(pointer);
    }
  };

  std::string expression_;
  std::unique_ptr<pcre2_code, Deleter<pcre2_code_free>> code_;
  std::unique_ptr<pcre2_match_data, Deleter<pcre2_match_data_free>> match_;
  std::unique_ptr<pcre2_jit_stack, Deleter<pcre2_jit_stack_free>> stack_;
  std::unique_ptr<pcre2_match_context, Deleter<pcre2_match_context_free>> context_;
};

}  // namespace cinecortex::models
