#pragma once
#include <filesystem>
#include <string_view>

namespace cinecortex::io {

/// Writes a small file that appears under its name only when it is complete; its folder is made if need be.
/// @throws InputError naming the file and the system's reason.   Collective: no.
void write_text(const std::filesystem::path& file, std::string_view text);

}  // namespace cinecortex::io
