#pragma once
#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

/// JSON of other programs (configurations, tokenizers, headers of weight files), read with suspicion.
namespace cinecortex::io {

/// @param where  what the message begins with, e.g. the file's name
/// @throws InputError: not JSON (with the place), a key that an object has twice, more than 64 levels deep.
///         Collective: no.
nlohmann::json parse_json(std::string_view text, const std::string& where);

/// The whole file.
/// @throws InputError as above; missing, unreadable, or larger than `most_bytes`.   Collective: no.
nlohmann::json read_json(const std::filesystem::path& file, std::uintmax_t most_bytes = 256u << 20);

}  // namespace cinecortex::io
