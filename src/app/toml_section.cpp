#include "toml_section.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <sstream>

#include "cinecortex/core/error.hpp"

namespace cinecortex::app {
namespace {

std::string type_name(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "a list";
    case toml::node_type::string:
      return "a text";
    case toml::node_type::integer:
      return "an integer";
    case toml::node_type::floating_point:
      return "a number with a fraction";
    case toml::node_type::boolean:
      return "true or false";
    default:
      return "a date or time";
  }
}

std::string shown(const toml::node& node) {
  std::ostringstream text;
  if (node.is_string()) {
    text << '"' << *node.value<std::string>() << '"';
  } else {
    node.visit([&](const auto& value) { text << value; });
  }
  std::string line = text.str();
  std::replace(line.begin(), line.end(), '\n', ' ');
  return line.size() <= 80 ? line : line.substr(0, 77) + "…";
}

std::optional<double> as_number(const toml::node& node) {
  return node.is_number() ? node.value<double>() : std::nullopt;
}

std::optional<Index> as_integer(const toml::node& node) {
  return node.is_integer() ? node.value<std::int64_t>() : std::nullopt;
}

std::optional<std::string> as_text(const toml::node& node) {
  return node.is_string() ? node.value<std::string>() : std::nullopt;
}

/// Whether a place on the command line, "--key value" or "--set table.key=value", is about this key: then it says the
/// value too.
bool says_key(const std::string& place, const std::string& key) {
  if (!place.starts_with("--")) return false;
  const std::string name = place.substr(0, place.find(place.starts_with("--set ") ? '=' : ' '));
  return name == "--" + key || name.ends_with(' ' + key) || name.ends_with('.' + key);
}

template <class T>
toml::array to_array(const std::vector<T>& values) {
  toml::array array;
  for (const auto& value : values) array.push_back(value);
  return array;
}

}  // namespace

std::string place_of(const toml::source_region& source) {
  const std::string path = source.path ? *source.path : "";
  return path.starts_with("--") ? path : fmt::format("{}:{}", path, source.begin.line);
}

toml::table parse_toml(std::string_view text, const std::string& place) {
  try {
    return toml::parse(text, place);
  } catch (const toml::parse_error& e) {
    throw InputError(fmt::format("{}:{}:{}: not valid TOML: {}", place, e.source().begin.line,
                                 e.source().begin.column, e.description()));
  }
}

Section::Section(const toml::table* table, std::string title, std::string place)
    : table_(table), title_(std::move(title)), place_(std::move(place)) {
  if (!title_.empty()) title_ += ' ';
}

bool Section::has(const std::string& key) {
  return find(key) != nullptr;
}

std::optional<std::string> Section::word(const std::string& key) {
  const auto* node = find(key);
  return node ? as_text(*node) : std::nullopt;
}

const toml::node* Section::find(const std::string& key) {
  known_.insert(key);
  return table_ ? table_->get(key) : nullptr;
}

void Section::fail(const std::string& key, const std::string& what) const {
  const toml::node* node = table_ ? table_->get(key) : nullptr;
  if (!node) throw InputError(fmt::format("{}: {}{}: {}", place_, title_, key, what));
  const std::string place = place_of(node->source());
  if (says_key(place, key)) throw InputError(fmt::format("{}: {}", place, what));
  throw InputError(fmt::format("{}: {}{} = {}: {}", place, title_, key, shown(*node), what));
}

void Section::fail_missing(const std::string& key, const std::string& meaning) const {
  throw InputError(fmt::format("{}: {}{} is missing: {}", place_, title_, key, meaning));
}

void Section::fail_type(const std::string& key, const std::string& wanted) const {
  fail(key, fmt::format("must be {}, not {}", wanted, type_name(*table_->get(key))));
}

std::string Section::text(const std::string& key, const std::optional<std::string>& fallback,
                          const std::string& meaning) {
  std::string value;
  if (const auto* node = find(key)) {
    const auto given = as_text(*node);
    if (!given) fail_type(key, "a text in quotes");
    value = *given;
  } else if (fallback) {
    value = *fallback;
  } else {
    fail_missing(key, meaning);
  }
  resolved.insert_or_assign(key, value);
  return value;
}

std::string Section::optional_text(const std::string& key) {
  if (!has(key)) return "";
  return text(key, std::nullopt, "");
}

std::string Section::choice(const std::string& key, const std::optional<std::string>& fallback,
                            const std::vector<std::string>& allowed) {
  std::string value = text(key, fallback, fmt::format("one of {}", fmt::join(allowed, ", ")));
  if (std::find(allowed.begin(), allowed.end(), value) == allowed.end()) {
    const std::string close = closest_name(value, allowed);
    fail(key,
         fmt::format("{}allowed are {}", close.empty() ? "" : fmt::format("did you mean \"{}\"? ", close),
                     fmt::join(allowed, ", ")));
  }
  return value;
}

bool Section::flag(const std::string& key, bool fallback) {
  bool value = fallback;
  if (const auto* node = find(key)) {
    if (!node->is_boolean()) fail_type(key, "true or false");
    value = node->value<bool>().value();
  }
  resolved.insert_or_assign(key, value);
  return value;
}

Index Section::integer(const std::string& key, Index fallback, Index least, Index most) {
  Index value = fallback;
  if (const auto* node = find(key)) {
    const auto given = as_integer(*node);
    if (!given) fail_type(key, "an integer");
    value = *given;
  }
  if (value < least) fail(key, fmt::format("must be at least {}", least));
  if (value > most) fail(key, fmt::format("must be at most {}", most));
  resolved.insert_or_assign(key, std::int64_t{value});
  return value;
}

Index Section::count_or_all(const std::string& key) {
  const auto* node = find(key);
  if (!node || node->value<std::string>() == "all") {
    resolved.insert_or_assign(key, "all");
    return 0;
  }
  const auto given = as_integer(*node);
  if (!given || *given < 1) fail(key, "must be an integer of at least 1, or \"all\"");
  resolved.insert_or_assign(key, std::int64_t{*given});
  return *given;
}

double Section::number(const std::string& key, double fallback) {
  double value = fallback;
  if (const auto* node = find(key)) {
    const auto given = as_number(*node);
    if (!given) fail_type(key, "a number");
    value = *given;
  }
  resolved.insert_or_assign(key, value);
  return value;
}

template <class T, class Read>
std::vector<T> Section::list(const std::string& key, const std::vector<T>& fallback,
                             const std::string& wanted, Read read) {
  std::vector<T> values = fallback;
  if (const auto* node = find(key)) {
    const auto* array = node->as_array();
    if (!array) fail_type(key, "a list of " + wanted);
    values.clear();
    for (std::size_t i = 0; i < array->size(); ++i) {
      const auto value = read((*array)[i]);
      if (!value) {
        fail(key, fmt::format("must be a list of {}, but element {} is {}", wanted, i + 1,
                              type_name((*array)[i])));
      }
      values.push_back(static_cast<T>(*value));
    }
  }
  resolved.insert_or_assign(key, to_array(values));
  return values;
}

std::vector<double> Section::numbers(const std::string& key, const std::vector<double>& fallback) {
  return list(key, fallback, "numbers", as_number);
}

std::vector<Index> Section::integers(const std::string& key, const std::vector<Index>& fallback) {
  return list(key, fallback, "integers", as_integer);
}

std::vector<std::vector<Index>> Section::integer_lists(const std::string& key) {
  const auto* node = find(key);
  if (!node) return {};
  const auto* array = node->as_array();
  if (!array) fail_type(key, "a list of lists of integers");
  std::vector<std::vector<Index>> lists;
  toml::array kept;
  for (const auto& entry : *array) {
    const auto* inner = entry.as_array();
    if (!inner)
      fail(key, fmt::format("must be a list of lists of integers, but element {} is {}", lists.size() + 1,
                            type_name(entry)));
    lists.emplace_back();
    for (const auto& value : *inner) {
      const auto number = as_integer(value);
      if (!number)
        fail(key, fmt::format("list {} must hold integers, not {}", lists.size(), type_name(value)));
      lists.back().push_back(*number);
    }
    kept.push_back(to_array(lists.back()));
  }
  resolved.insert_or_assign(key, std::move(kept));
  return lists;
}

std::vector<std::string> Section::texts(const std::string& key, const std::vector<std::string>& fallback) {
  return list(key, fallback, "texts", as_text);
}

models::Option Section::option(const models::OptionInfo& info) {
  struct Reader {
    Section& section;
    const std::string& key;
    models::Option operator()(bool value) const { return section.flag(key, value); }
    models::Option operator()(std::int64_t value) const {
      return std::int64_t{section.integer(key, value, std::numeric_limits<Index>::min())};
    }
    models::Option operator()(double value) const { return section.number(key, value); }
    models::Option operator()(const std::string& value) const { return section.text(key, value, ""); }
    models::Option operator()(const std::vector<double>& value) const { return section.numbers(key, value); }
    models::Option operator()(const std::vector<std::string>& value) const {
      return section.texts(key, value);
    }
  };
  return std::visit(Reader{*this, info.name}, info.default_value);
}

const toml::table* Section::table(const std::string& key) {
  const auto* node = find(key);
  if (!node) return nullptr;
  if (!node->is_table()) fail_type(key, "a table");
  return node->as_table();
}

void Section::refuse_unknown() const {
  if (!table_) return;
  for (const auto& [key, node] : *table_) {
    const std::string name(key.str());
    if (known_.contains(name)) continue;
    const std::string close = closest_name(name, known_);
    throw InputError(fmt::format("{}: {}unknown {} \"{}\"{}; allowed are {}", place_of(key.source()), title_,
                                 node.is_table() || node.is_array_of_tables() ? "table" : "key", name,
                                 close.empty() ? "" : fmt::format(" (did you mean \"{}\"?)", close),
                                 fmt::join(known_, ", ")));
  }
}

}  // namespace cinecortex::app
