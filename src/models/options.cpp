#include "options.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "cinecortex/core/error.hpp"

namespace cinecortex::models {
namespace {

std::string describe(const Option& value) {
  struct Writer {
    std::string operator()(bool v) const { return v ? "true" : "false"; }
    std::string operator()(std::int64_t v) const { return fmt::format("{}", v); }
    std::string operator()(double v) const { return fmt::format("{:g}", v); }
    std::string operator()(const std::string& v) const { return fmt::format("\"{}\"", v); }
    std::string operator()(const std::vector<double>& v) const {
      return fmt::format("[{:g}]", fmt::join(v, ", "));
    }
    std::string operator()(const std::vector<std::string>& v) const {
      return v.empty() ? "[]" : fmt::format("[\"{}\"]", fmt::join(v, "\", \""));
    }
  };
  return std::visit(Writer{}, value);
}

const char* type_name(const Option& value) {
  constexpr const char* names[] = {"true or false", "a whole number",    "a number",
                                   "a text",        "a list of numbers", "a list of texts"};
  return names[value.index()];
}

std::string range_text(const OptionInfo& info) {
  if (std::isinf(info.minimum) && std::isinf(info.maximum)) return "any finite number";
  if (std::isinf(info.maximum)) return fmt::format("{:g} or more", info.minimum);
  if (std::isinf(info.minimum)) return fmt::format("{:g} or less", info.maximum);
  return fmt::format("{:g} to {:g}", info.minimum, info.maximum);
}

/// The value in the type of the default: a whole number may stand for a number, an empty list for any list.
Option converted(const OptionInfo& info, const Option& value) {
  if (value.index() == info.default_value.index()) return value;
  if (std::holds_alternative<double>(info.default_value)) {
    if (const auto* whole = std::get_if<std::int64_t>(&value)) return static_cast<double>(*whole);
  }
  const auto* numbers = std::get_if<std::vector<double>>(&value);
  const auto* texts = std::get_if<std::vector<std::string>>(&value);
  if (texts != nullptr && texts->empty() && std::holds_alternative<std::vector<double>>(info.default_value)) {
    return std::vector<double>{};
  }
  if (numbers != nullptr && numbers->empty() &&
      std::holds_alternative<std::vector<std::string>>(info.default_value)) {
    return std::vector<std::string>{};
  }
  throw InputError(fmt::format("{} is {}; {} is {}", describe(value), type_name(value), info.name,
                               type_name(info.default_value)));
}

void check_word(const OptionInfo& info, const std::string& word) {
  if (info.allowed.empty()) return;
  for (const auto& allowed : info.allowed) {
    if (word == allowed) return;
  }
  const auto closest = closest_name(word, info.allowed);
  throw InputError(fmt::format("\"{}\" is not allowed{}; allowed: {}", word,
                               closest.empty() ? "" : fmt::format(" (did you mean \"{}\"?)", closest),
                               fmt::join(info.allowed, ", ")));
}

void check_number(const OptionInfo& info, double number) {
  if (std::isfinite(number) && number >= info.minimum && number <= info.maximum) return;
  throw InputError(fmt::format("{:g} is not allowed; allowed: {}", number, range_text(info)));
}

}  // namespace

Option checked_option(const OptionInfo& info, const Option& value) {
  const Option result = converted(info, value);
  if (const auto* word = std::get_if<std::string>(&result)) check_word(info, *word);
  if (const auto* whole = std::get_if<std::int64_t>(&result)) check_number(info, static_cast<double>(*whole));
  if (const auto* number = std::get_if<double>(&result)) check_number(info, *number);
  if (const auto* numbers = std::get_if<std::vector<double>>(&result)) {
    for (const double number : *numbers) check_number(info, number);
  }
  if (const auto* words = std::get_if<std::vector<std::string>>(&result)) {
    for (const auto& word : *words) check_word(info, word);
  }
  return result;
}

namespace {

OptionInfo number_option(std::string name, Option value, double minimum, double maximum, std::string help) {
  return {.name = std::move(name),
          .default_value = std::move(value),
          .help = std::move(help),
          .minimum = minimum,
          .maximum = maximum};
}

}  // namespace

OptionInfo integer_option(std::string name, std::int64_t value, double minimum, double maximum,
                          std::string help) {
  return number_option(std::move(name), value, minimum, maximum, std::move(help));
}

OptionInfo real_option(std::string name, double value, double minimum, double maximum, std::string help) {
  return number_option(std::move(name), value, minimum, maximum, std::move(help));
}

OptionInfo reals_option(std::string name, std::vector<double> value, double minimum, double maximum,
                        std::string help) {
  return number_option(std::move(name), std::move(value), minimum, maximum, std::move(help));
}

OptionInfo choice_option(std::string name, std::string value, std::vector<std::string> allowed,
                         std::string help) {
  return {.name = std::move(name),
          .default_value = std::move(value),
          .help = std::move(help),
          .allowed = std::move(allowed)};
}

OptionInfo text_option(std::string name, std::string value, std::string help) {
  return {.name = std::move(name), .default_value = std::move(value), .help = std::move(help)};
}

OptionInfo flag_option(std::string name, bool value, std::string help) {
  return {.name = std::move(name), .default_value = value, .help = std::move(help)};
}

Options::Options(const ModelInfo& info, const std::map<std::string, Option>& given) : model_(info.name) {
  std::vector<std::string> names;
  for (const auto& option : info.options) {
    names.push_back(option.name);
    values_[option.name] = option.default_value;
  }
  for (const auto& [name, value] : given) {
    if (values_.contains(name)) continue;
    const auto closest = closest_name(name, names);
    throw InputError(fmt::format("model {}: there is no option {}{}; its options are {}", model_, name,
                                 closest.empty() ? "" : fmt::format(" (did you mean {}?)", closest),
                                 names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "))));
  }
  for (const auto& option : info.options) {
    const auto found = given.find(option.name);
    if (found == given.end()) continue;
    try {
      values_[option.name] = checked_option(option, found->second);
    } catch (const InputError& error) {
      throw InputError(fmt::format("model {}: {}: {}", model_, option.name, error.what()));
    }
  }
}

std::vector<Index> Options::indices(const std::string& name, const IndexRule& rule,
                                    const std::string& meaning) const {
  std::vector<Index> found;
  bool allowed = rule.may_be_empty || !reals(name).empty();
  for (const double number : reals(name)) {
    const auto index = static_cast<Index>(number);
    allowed = allowed && static_cast<double>(index) == number && index >= 0 && index <= rule.most;
    allowed = allowed && (rule.ascending ? found.empty() || index > found.back()
                                         : std::find(found.begin(), found.end(), index) == found.end());
    found.push_back(index);
  }
  if (!allowed) {
    fail(name, fmt::format("allowed: {}whole numbers from 0 to {}, {}; {}",
                           rule.may_be_empty ? "" : "at least one of the ", rule.most,
                           rule.ascending ? "ascending" : "each once", meaning));
  }
  return found;
}

void Options::fail(const std::string& name, const std::string& what) const {
  throw InputError(fmt::format("model {}: {} = {}: {}", model_, name, describe(values_.at(name)), what));
}

void Options::add_to(Digest& digest) const {
  for (const auto& [name, value] : values_) {
    digest.add(name).add(static_cast<std::int64_t>(value.index()));
    struct Writer {
      Digest& to;
      void operator()(bool v) const { to.add(std::int64_t{v}); }
      void operator()(std::int64_t v) const { to.add(v); }
      void operator()(double v) const { to.add(v); }
      void operator()(const std::string& v) const { to.add(std::string_view(v)); }
      void operator()(const std::vector<double>& v) const { to.add(std::as_bytes(std::span(v))); }
      void operator()(const std::vector<std::string>& v) const {
        to.add(static_cast<std::int64_t>(v.size()));
        for (const auto& item : v) to.add(std::string_view(item));
      }
    };
    std::visit(Writer{digest}, value);
  }
}

}  // namespace cinecortex::models
