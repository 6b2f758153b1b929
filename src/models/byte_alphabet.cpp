#include "byte_alphabet.hpp"

#include <array>
#include <unordered_map>

#include "unicode.hpp"

namespace cinecortex::models {
namespace {

constexpr bool stands_for_itself(unsigned byte) {
  return (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

struct Alphabet {
  std::array<std::string, 256> letters;
  std::unordered_map<char32_t, char> bytes;

  Alphabet() {
    char32_t next = 256;
    for (unsigned byte = 0; byte < 256; ++byte) {
      const char32_t letter = stands_for_itself(byte) ? byte : next++;
      letters[byte] = utf8(letter);
      bytes[letter] = static_cast<char>(byte);
    }
  }
};

const Alphabet& alphabet() {
  static const Alphabet table;
  return table;
}

}  // namespace

const std::string& letter_of_byte(unsigned char byte) {
  return alphabet().letters[byte];
}

std::optional<std::string> bytes_of_letters(std::string_view token) {
  std::string bytes;
  for (std::size_t at = 0; at < token.size();) {
    const auto found = alphabet().bytes.find(next_character(token, at));
    if (found == alphabet().bytes.end()) return std::nullopt;
    bytes += found->second;
  }
  return bytes;
}

}  // namespace cinecortex::models
