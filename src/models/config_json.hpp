#pragma once
#include <filesystem>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cinecortex/core/types.hpp"

namespace cinecortex::models {

/// A JSON object that describes a network (config.json, adapter_config.json), or an object inside of it. Keys that
/// are null count as missing. Every reader throws an InputError that names file, key, value and what is allowed.
/// Cheap to copy; keeps the whole document alive.   Collective: no, none of it.
class ConfigJson {
 public:
  explicit ConfigJson(
      const std::filesystem::path& file);  ///< @throws InputError: missing, no JSON, no object

  bool has(const std::string& key) const;

  // Of a key that has to be there.
  Index integer(const std::string& key) const;
  double real(const std::string& key) const;
  bool flag(const std::string& key) const;
  std::string text(const std::string& key) const;
  std::vector<Index> integers(const std::string& key) const;
  std::vector<std::string> texts(const std::string& key) const;
  ConfigJson part(const std::string& key) const;

  // Of a key that may be missing.
  Index integer_or(const std::string& key, Index fallback) const;
  double real_or(const std::string& key, double fallback) const;
  bool flag_or(const std::string& key, bool fallback) const;
  std::string text_or(const std::string& key, const std::string& fallback) const;

  /// A size or count. @throws InputError also where it is not in [1, most].
  Index size(const std::string& key, Index most = Index{1} << 31) const;
  /// A text out of a few, such as model_type.
  std::string choice(const std::string& key, const std::vector<std::string>& allowed) const;

  const nlohmann::json& json() const;
  /// @throws InputError "FILE: part.key = value: what"
  [[noreturn]] void fail(const std::string& key, const std::string& what) const;

 private:
  ConfigJson() = default;
  const nlohmann::json* find(const std::string& key) const;
  const nlohmann::json& at(const std::string& key) const;

  std::string file_, prefix_;
  std::shared_ptr<const nlohmann::json> object_;
};

}  // namespace cinecortex::models
