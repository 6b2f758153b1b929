#include "cinecortex/io/json.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <unordered_set>
#include <vector>

#include "cinecortex/core/error.hpp"

namespace cinecortex::io {
namespace {

/// Follows the parser and refuses what it would let pass: the later of two equal keys would win silently.
class Strictness {
 public:
  explicit Strictness(const std::string& where) : where_(where) {}

  bool operator()(int depth, nlohmann::json::parse_event_t event, const nlohmann::json& value) {
    using Event = nlohmann::json::parse_event_t;
    constexpr int most_levels = 64;
    if (depth > most_levels)
      throw InputError(fmt::format("{}: more than {} levels deep", where_, most_levels));
    if (event == Event::object_start) keys_.emplace_back();
    if (event == Event::object_end) keys_.pop_back();
    if (event == Event::key && !keys_.back().insert(value.get_ref<const std::string&>()).second) {
      throw InputError(fmt::format("{}: the key {} is there twice", where_, value.dump()));
    }
    return true;
  }

 private:
  const std::string& where_;
  std::vector<std::unordered_set<std::string>> keys_;
};

}  // namespace

nlohmann::json parse_json(std::string_view text, const std::string& where) {
  try {
    return nlohmann::json::parse(text.begin(), text.end(), Strictness(where));
  } catch (const nlohmann::json::exception& error) {
    std::string what = error.what();
    what.erase(0, what.find(' ') + 1);  // "[json.exception.parse_error.101] "
    throw InputError(fmt::format("{}: not JSON: {}", where, what));
  }
}

nlohmann::json read_json(const std::filesystem::path& file, std::uintmax_t most_bytes) {
  std::error_code error;
  const auto bytes = std::filesystem::file_size(file, error);
  if (error) throw InputError(fmt::format("{}: cannot be read: {}", file.string(), error.message()));
  if (bytes > most_bytes) {
    throw InputError(fmt::format("{}: {} bytes; no more than {} are read", file.string(), bytes, most_bytes));
  }
  std::string text(bytes, '\0');
  std::ifstream in(file, std::ios::binary);
  in.read(text.data(), static_cast<std::streamsize>(bytes));
  if (!in) throw InputError(fmt::format("{}: cannot be read: {}", file.string(), std::strerror(errno)));
  return parse_json(text, file.string());
}

}  // namespace cinecortex::io
