#pragma once
#include <string>
#include <string_view>

/// What tokenizers need of Unicode.   Collective: no, all of it.
namespace cinecortex::models {

/// The text with U+FFFD in the place of each maximal ill-formed part, as Python's decode(errors="replace")
/// and Rust's from_utf8_lossy put it.
std::string well_formed_utf8(std::string_view text);

/// Normalization form C (Unicode of the utf8proc library), in time linear but for the sorting of marks.
/// @pre well-formed UTF-8
std::string nfc(std::string_view text);

/// A character as UTF-8.   @pre character is a Unicode scalar value
std::string utf8(char32_t character);

/// @pre well-formed UTF-8 at `at`. Moves `at` behind the character.
char32_t next_character(std::string_view text, std::size_t& at);

}  // namespace cinecortex::models
