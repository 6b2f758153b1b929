#pragma once
#include <toml++/toml.h>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cinecortex/app/settings.hpp"
#include "cinecortex/core/types.hpp"

namespace cinecortex::app {

/// Where a value stands: "exp.toml:12", or the setting that gave it.
std::string place_of(const toml::source_region& source);

/// @throws InputError naming place, line and column where it is not valid TOML.
toml::table parse_toml(std::string_view text, const std::string& place);

/// Puts a setting into a table, creating tables on the way. `[[space]]` entries are found by their name.
void apply_setting(toml::table& root, const Setting& setting);

/// One table of an experiment: its keys are asked for one by one, each with its default and what is allowed;
/// what is left over at the end is unknown. The values used, defaults included, are collected in `resolved`.
class Section {
 public:
  /// @param table  null: the table is not there, everything takes its default
  /// @param title  for messages, e.g. "[data]"; empty for the top of a file
  /// @param place  where to send the reader if a key is missing
  Section(const toml::table* table, std::string title, std::string place);

  /// The text given, if it is one, for keys that may be a word or something else.
  std::optional<std::string> word(const std::string& key);
  bool has(const std::string& key);  ///< whether it is given; either way it is a known key from now on
  std::string text(const std::string& key, const std::optional<std::string>& fallback,
                   const std::string& meaning);
  /// A text that may be left out, and is then not in `resolved` either.
  std::string optional_text(const std::string& key);
  std::string choice(const std::string& key, const std::optional<std::string>& fallback,
                     const std::vector<std::string>& allowed);
  bool flag(const std::string& key, bool fallback);
  Index integer(const std::string& key, Index fallback, Index least,
                Index most = std::numeric_limits<Index>::max());
  /// An integer ≥ 1, or the word "all", which gives 0.
  Index count_or_all(const std::string& key);
  double number(const std::string& key, double fallback);
  std::vector<double> numbers(const std::string& key, const std::vector<double>& fallback);
  std::vector<Index> integers(const std::string& key, const std::vector<Index>& fallback);
  std::vector<std::vector<Index>> integer_lists(const std::string& key);  ///< none if it is not given
  std::vector<std::string> texts(const std::string& key, const std::vector<std::string>& fallback);
  models::Option option(const models::OptionInfo& info);
  const toml::table* table(const std::string& key);
  void declare(const std::string& key) { known_.insert(key); }  ///< a key that the caller reads by itself

  /// @throws InputError for the first key that nobody asked for, with the closest that there is.
  void refuse_unknown() const;
  /// "place: [title] key = value: what"
  [[noreturn]] void fail(const std::string& key, const std::string& what) const;
  [[noreturn]] void fail_missing(const std::string& key, const std::string& meaning) const;

  toml::table resolved;

 private:
  const toml::node* find(const std::string& key);
  [[noreturn]] void fail_type(const std::string& key, const std::string& wanted) const;
  template <class T, class Read>
  std::vector<T> list(const std::string& key, const std::vector<T>& fallback, const std::string& wanted,
                      Read read);

  const toml::table* table_;
  std::string title_, place_;
  std::set<std::string> known_;
};

}  // namespace cinecortex::app
