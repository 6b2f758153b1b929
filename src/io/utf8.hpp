#pragma once
#include <cstdint>
#include <string>
#include <string_view>

/// The little of Unicode that files need.   Collective: no.
namespace cinecortex::io {

/// Where the first byte is that does not begin or continue a valid character, or npos.
std::size_t first_invalid_utf8(std::string_view text);

/// @pre valid UTF-8 at `at`. Moves `at` behind the character.
char32_t next_character(std::string_view text, std::size_t& at);

/// False for surrogates and numbers above U+10FFFF, which are no characters.
bool append_utf8(std::string& text, char32_t character);

}  // namespace cinecortex::io
