#include "unicode.hpp"

#include <fmt/format.h>
#include <utf8proc.h>

#include <algorithm>
#include <vector>

#include "cinecortex/core/error.hpp"

namespace cinecortex::models {
namespace {

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

/// How a well-formed character begins: its length and the range of its second byte (Unicode, table 3-7).
struct Lead {
  std::size_t length;
  unsigned char second_from, second_to;
};

Lead lead(unsigned char byte) {
  if (byte < 0x80) return {1, 0, 0};
  if (byte >= 0xC2 && byte <= 0xDF) return {2, 0x80, 0xBF};
  if (byte == 0xE0) return {3, 0xA0, 0xBF};
  if (byte == 0xED) return {3, 0x80, 0x9F};
  if (byte >= 0xE1 && byte <= 0xEF) return {3, 0x80, 0xBF};
  if (byte == 0xF0) return {4, 0x90, 0xBF};
  if (byte >= 0xF1 && byte <= 0xF3) return {4, 0x80, 0xBF};
  if (byte == 0xF4) return {4, 0x80, 0x8F};
  return {0, 0, 0};
}

/// Bytes at `at` that begin a character, as far as they are well formed; `whole` says whether they are one.
std::size_t well_formed_bytes(std::string_view text, std::size_t at, bool& whole) {
  const Lead first = lead(static_cast<unsigned char>(text[at]));
  std::size_t length = 1;
  while (length < first.length && at + length < text.size()) {
    const auto byte = static_cast<unsigned char>(text[at + length]);
    const unsigned char from = length == 1 ? first.second_from : 0x80;
    const unsigned char to = length == 1 ? first.second_to : 0xBF;
    if (byte < from || byte > to) break;
    ++length;
  }
  whole = length == first.length;
  return length;
}

utf8proc_ssize_t checked(utf8proc_ssize_t result) {
  if (result < 0) throw Error(fmt::format("normalization of text: {}", utf8proc_errmsg(result)));
  return result;
}

/// Canonical decomposition, marks not sorted yet.
std::vector<utf8proc_int32_t> decomposed(std::string_view text) {
  constexpr auto options = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE);
  std::vector<utf8proc_int32_t> characters;
  characters.reserve(text.size() + 1);
  utf8proc_int32_t parts[32];
  for (std::size_t at = 0; at < text.size();) {
    int boundary = 0;
    const auto count = checked(utf8proc_decompose_char(
        static_cast<utf8proc_int32_t>(next_character(text, at)), parts, 32, options, &boundary));
    characters.insert(characters.end(), parts, parts + count);
  }
  return characters;
}

/// utf8proc sorts marks itself, but in quadratic time, which a long run of them would notice.
void sort_marks(std::vector<utf8proc_int32_t>& characters) {
  const auto rank = [](utf8proc_int32_t c) { return utf8proc_get_property(c)->combining_class; };
  const auto is_mark = [&](utf8proc_int32_t c) { return rank(c) != 0; };
  for (auto begin = characters.begin(); begin != characters.end();) {
    begin = std::find_if(begin, characters.end(), is_mark);
    const auto end = std::find_if_not(begin, characters.end(), is_mark);
    std::stable_sort(begin, end, [&](auto a, auto b) { return rank(a) < rank(b); });
    begin = end;
  }
}

}  // namespace

std::string well_formed_utf8(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    bool whole = false;
    const std::size_t length = well_formed_bytes(text, at, whole);
    result += whole ? text.substr(at, length) : std::string_view("\xEF\xBF\xBD");
    at += length;
  }
  return result;
}

std::string nfc(std::string_view text) {
  if (is_ascii(text)) return std::string(text);
  auto characters = decomposed(text);
  sort_marks(characters);
  const auto count =
      checked(utf8proc_normalize_utf32(characters.data(), static_cast<utf8proc_ssize_t>(characters.size()),
                                       static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE)));
  std::string result;
  result.reserve(text.size());
  for (utf8proc_ssize_t i = 0; i < count; ++i) {
    result += utf8(static_cast<char32_t>(characters[static_cast<std::size_t>(i)]));
  }
  return result;
}

std::string utf8(char32_t character) {
  utf8proc_uint8_t bytes[4];
  const auto length = utf8proc_encode_char(static_cast<utf8proc_int32_t>(character), bytes);
  return {reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(length)};
}

char32_t next_character(std::string_view text, std::size_t& at) {
  utf8proc_int32_t character = 0;
  at += static_cast<std::size_t>(
      checked(utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data()) + at,
                               static_cast<utf8proc_ssize_t>(text.size() - at), &character)));
  return static_cast<char32_t>(character);
}

}  // namespace cinecortex::models
