#include "cinecortex/app/settings.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cinecortex/core/error.hpp"
#include "experiment_sections.hpp"

namespace cinecortex::app {
namespace {

std::vector<std::string> split_key(const Setting& setting) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  while (begin <= setting.key.size()) {
    const std::size_t end = std::min(setting.key.find('.', begin), setting.key.size());
    parts.push_back(setting.key.substr(begin, end - begin));
    if (parts.back().empty()) throw InputError(fmt::format("{}: the key has an empty part", setting.place));
    begin = end + 1;
  }
  return parts;
}

/// The value as a table {v = value}: a node keeps its place in messages only inside a parsed document.
toml::table parse_value(const Setting& setting) {
  try {
    toml::table parsed = toml::parse("v = " + setting.value, setting.place);
    if (parsed.size() == 1) return parsed;
  } catch (const toml::parse_error&) {
    // Not TOML: a bare string, as people type it.
  }
  std::string quoted;
  for (const char c : setting.value) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  try {
    return toml::parse("v = \"" + quoted + "\"", setting.place);
  } catch (const toml::parse_error&) {
    throw InputError(
        fmt::format("{}: the value is neither TOML nor a plain text on one line", setting.place));
  }
}

toml::table& find_space(toml::table& root, const std::string& name, const Setting& setting) {
  std::vector<std::string> names;
  if (auto* spaces = root["space"].as_array()) {
    for (auto& entry : *spaces) {
      auto* space = entry.as_table();
      const auto given = space ? (*space)["name"].value<std::string>() : std::nullopt;
      if (!given) continue;
      if (*given == name) return *space;
      names.push_back(*given);
    }
  }
  const std::string close = closest_name(name, names);
  throw InputError(fmt::format("{}: no space is named \"{}\"{}; there are {}", setting.place, name,
                               close.empty() ? "" : fmt::format(" (did you mean \"{}\"?)", close),
                               names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "))));
}

toml::table& descend(toml::table& table, const std::string& key, const Setting& setting,
                     const toml::source_region& source) {
  if (!table.contains(key)) table.insert(toml::key(key, toml::source_region(source)), toml::table{});
  if (auto* inner = table[key].as_table()) return *inner;
  throw InputError(fmt::format("{}: \"{}\" is not a table", setting.place, key));
}

toml::table to_table(const std::vector<Setting>& settings) {
  toml::table table;
  for (const auto& setting : settings) {
    if (setting.key.find('.') != std::string::npos) {
      throw InputError(
          fmt::format("{}: without an experiment file a key has no table in front", setting.place));
    }
    apply_setting(table, setting);
  }
  return table;
}

/// Reads settings as one table of an experiment file; `read` asks for its keys.
template <class Read>
auto read_settings(const std::vector<Setting>& settings, Read read) {
  const toml::table table = to_table(settings);
  Section section(&table, "", "command line");
  auto result = read(section);
  section.refuse_unknown();
  return result;
}

}  // namespace

Setting parse_setting(const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) {
    throw InputError(fmt::format("--set {}: must be key=value, e.g. --set ridge.criterion=gcv", text));
  }
  return {text.substr(0, equals), text.substr(equals + 1), "--set " + text};
}

void apply_setting(toml::table& root, const Setting& setting) {
  const auto path = split_key(setting);
  toml::table parsed = parse_value(setting);
  const toml::source_region source = parsed["v"].node()->source();
  toml::table* table = &root;
  std::size_t at = 0;
  if (path[0] == "space" && path.size() > 1) {
    table = &find_space(root, path[1], setting);
    at = 2;
    if (path.size() == 2) throw InputError(fmt::format("{}: says no key of the space", setting.place));
  }
  for (; at + 1 < path.size(); ++at) table = &descend(*table, path[at], setting, source);
  // Moving keeps a value's place, copying would not; the old key goes too, for it keeps the old place.
  table->erase(path[at]);
  table->insert(toml::key(path[at], toml::source_region(source)), std::move(*parsed.get("v")));
}

encoding::PcaOptions pca_options(const std::vector<Setting>& settings) {
  return read_settings(settings, [](Section& section) { return read_pca_options(section, 1); });
}

std::string stack_method(const std::vector<Setting>& settings) {
  return read_settings(settings, read_stack).method;
}

encoding::SignificanceOptions significance_options(const std::vector<Setting>& settings) {
  return read_settings(settings, read_score);
}

models::ModelConfig model_config(const std::vector<Setting>& settings) {
  return read_settings(settings, read_model);
}

MatrixRidge matrix_ridge(const std::vector<Setting>& settings) {
  return read_settings(settings, [](Section& section) {
    MatrixRidge read{.options = read_ridge(section), .design = {}};
    bool wanted = false;
    for (const std::string key : {"delay", "window", "delays"}) wanted = section.has(key) || wanted;
    if (wanted) {
      read.design = read_design(section);
    } else if (section.has("edge")) {
      section.fail("edge", "has no meaning without --delays, or --set delay or window");
    }
    return read;
  });
}

MatrixSweep matrix_sweep(const std::vector<Setting>& settings) {
  for (const auto& setting : settings) {
    if (setting.key != "criterion") continue;
    throw InputError(
        fmt::format("{}: a sweep compares held-out folds: set folds, not criterion", setting.place));
  }
  return read_settings(settings, [](Section& section) {
    MatrixSweep read{.sweep = read_sweep(section, {}), .ridge = read_alphas(section)};
    const std::string usual = read.sweep.delays.empty() ? "shift" : "zero";
    read.edge = encoding::parse_edge(section.choice("edge", usual, {"shift", "zero", "drop"}));
    return read;
  });
}

}  // namespace cinecortex::app
