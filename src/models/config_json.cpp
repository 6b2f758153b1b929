#include "config_json.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "cinecortex/core/error.hpp"
#include "cinecortex/io/json.hpp"

namespace cinecortex::models {

ConfigJson::ConfigJson(const std::filesystem::path& file)
    : file_(file.string()), object_(std::make_shared<const nlohmann::json>(io::read_json(file))) {
  if (!object_->is_object()) throw InputError(file_ + ": not a JSON object");
}

const nlohmann::json* ConfigJson::find(const std::string& key) const {
  const auto found = object_->find(key);
  return found == object_->end() || found->is_null() ? nullptr : &*found;
}

const nlohmann::json& ConfigJson::at(const std::string& key) const {
  if (const auto* value = find(key)) return *value;
  throw InputError(fmt::format("{}: {}{} is missing", file_, prefix_, key));
}

void ConfigJson::fail(const std::string& key, const std::string& what) const {
  const auto* value = find(key);
  constexpr std::size_t most = 80;
  std::string shown = value == nullptr ? "missing" : value->dump();
  if (shown.size() > most) shown = shown.substr(0, most) + "…";
  throw InputError(fmt::format("{}: {}{} = {}: {}", file_, prefix_, key, shown, what));
}

bool ConfigJson::has(const std::string& key) const {
  return find(key) != nullptr;
}

Index ConfigJson::integer(const std::string& key) const {
  const auto& value = at(key);
  const bool fits = value.is_number_integer() &&
                    (!value.is_number_unsigned() || std::in_range<Index>(value.get<std::uint64_t>()));
  if (!fits) fail(key, "allowed: a whole number");
  return value.get<Index>();
}

double ConfigJson::real(const std::string& key) const {
  const auto& value = at(key);
  if (!value.is_number() || !std::isfinite(value.get<double>())) fail(key, "allowed: a number");
  return value.get<double>();
}

bool ConfigJson::flag(const std::string& key) const {
  const auto& value = at(key);
  if (!value.is_boolean()) fail(key, "allowed: true, false");
  return value.get<bool>();
}

std::string ConfigJson::text(const std::string& key) const {
  const auto& value = at(key);
  if (!value.is_string()) fail(key, "allowed: a text");
  return value.get<std::string>();
}

std::vector<Index> ConfigJson::integers(const std::string& key) const {
  const auto& value = at(key);
  const auto whole = [](const auto& item) { return item.is_number_integer(); };
  if (!value.is_array() || !std::all_of(value.begin(), value.end(), whole)) {
    fail(key, "allowed: a list of whole numbers");
  }
  return value.get<std::vector<Index>>();
}

std::vector<std::string> ConfigJson::texts(const std::string& key) const {
  const auto& value = at(key);
  const auto text = [](const auto& item) { return item.is_string(); };
  if (!value.is_array() || !std::all_of(value.begin(), value.end(), text)) {
    fail(key, "allowed: a list of texts");
  }
  return value.get<std::vector<std::string>>();
}

ConfigJson ConfigJson::part(const std::string& key) const {
  const auto& value = at(key);
  if (!value.is_object()) fail(key, "allowed: an object");
  ConfigJson inner;
  inner.file_ = file_;
  inner.prefix_ = prefix_ + key + ".";
  inner.object_ = {object_, &value};
  return inner;
}

Index ConfigJson::integer_or(const std::string& key, Index fallback) const {
  return has(key) ? integer(key) : fallback;
}

double ConfigJson::real_or(const std::string& key, double fallback) const {
  return has(key) ? real(key) : fallback;
}

bool ConfigJson::flag_or(const std::string& key, bool fallback) const {
  return has(key) ? flag(key) : fallback;
}

std::string ConfigJson::text_or(const std::string& key, const std::string& fallback) const {
  return has(key) ? text(key) : fallback;
}

Index ConfigJson::size(const std::string& key, Index most) const {
  const Index value = integer(key);
  if (value < 1 || value > most) fail(key, fmt::format("allowed: 1 to {}", most));
  return value;
}

std::string ConfigJson::choice(const std::string& key, const std::vector<std::string>& allowed) const {
  const auto value = text(key);
  if (std::find(allowed.begin(), allowed.end(), value) == allowed.end()) {
    fail(key, fmt::format("allowed: {}", fmt::join(allowed, ", ")));
  }
  return value;
}

const nlohmann::json& ConfigJson::json() const {
  return *object_;
}

}  // namespace cinecortex::models
