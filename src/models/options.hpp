#pragma once
#include <map>
#include <string>
#include <vector>

#include "cinecortex/core/digest.hpp"
#include "cinecortex/models/extractor.hpp"

namespace cinecortex::models {

// Entries of ModelInfo::options.
OptionInfo integer_option(std::string name, std::int64_t value, double minimum, double maximum,
                          std::string help);
OptionInfo real_option(std::string name, double value, double minimum, double maximum, std::string help);
OptionInfo reals_option(std::string name, std::vector<double> value, double minimum, double maximum,
                        std::string help);
OptionInfo choice_option(std::string name, std::string value, std::vector<std::string> allowed,
                         std::string help);
OptionInfo text_option(std::string name, std::string value, std::string help);  ///< any text
OptionInfo flag_option(std::string name, bool value, std::string help);

/// What a list of indices may hold: whole numbers from 0 to `most`.
struct IndexRule {
  Index most;
  bool ascending = true;  ///< false: in any order
  bool may_be_empty = false;
};

/// A model's options with every default in place, checked against its ModelInfo.
class Options {
 public:
  /// @throws InputError: an option that the model does not have (with a suggestion), or a value not allowed.
  Options(const ModelInfo& info, const std::map<std::string, Option>& given);

  bool flag(const std::string& name) const { return get<bool>(name); }
  std::int64_t integer(const std::string& name) const { return get<std::int64_t>(name); }
  double real(const std::string& name) const { return get<double>(name); }
  const std::string& text(const std::string& name) const { return get<std::string>(name); }
  const std::vector<double>& reals(const std::string& name) const { return get<std::vector<double>>(name); }

  /// The whole numbers of a list, in the order given, each once.
  /// @param meaning  what they count, for the message     @throws InputError saying what the rule allows
  std::vector<Index> indices(const std::string& name, const IndexRule& rule,
                             const std::string& meaning) const;

  /// @throws InputError "model M: name = value: what"
  [[noreturn]] void fail(const std::string& name, const std::string& what) const;

  void add_to(Digest& digest) const;  ///< every option, in the order of its name

 private:
  template <class T>
  const T& get(const std::string& name) const {
    return std::get<T>(values_.at(name));
  }
  std::string model_;
  std::map<std::string, Option> values_;
};

}  // namespace cinecortex::models
