#pragma once
#include <optional>
#include <string>
#include <string_view>

/// The alphabet of byte-level tokenizers: each of the 256 bytes is written as one printable character (GPT-2's
/// table), so that tokens of any bytes can stand in a text file.   Collective: no, all of it.
namespace cinecortex::models {

/// How the byte is written, as UTF-8.
const std::string& letter_of_byte(unsigned char byte);

/// The bytes that a token stands for; nullopt where it has a character that is not of the alphabet.
/// @pre well-formed UTF-8
std::optional<std::string> bytes_of_letters(std::string_view token);

}  // namespace cinecortex::models
