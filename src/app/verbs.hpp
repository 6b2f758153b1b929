#pragma once
#include <boost/program_options.hpp>
#include <string>
#include <vector>

namespace cinecortex::app {

/// One verb: what it is for, and what it takes besides the options that all verbs share.
struct Verb {
  std::string name;
  std::string group;     ///< heading in `cinecortex --help`
  std::string summary;   ///< one line
  bool experiment;       ///< takes an experiment file
  std::string matrices;  ///< its usage without one; empty: there is none
  std::string about;     ///< more lines for `cinecortex <verb> --help`
};

const std::vector<Verb>& verbs();

/// @throws InputError with the closest name and the list.
const Verb& find_verb(const std::string& name);

/// The options that only this verb has, for work without an experiment file.
boost::program_options::options_description matrix_options(const Verb& verb);
/// The options that only this verb has, for work on an experiment.
boost::program_options::options_description experiment_options(const Verb& verb);
boost::program_options::options_description common_options();

std::string help();
std::string help(const Verb& verb);

}  // namespace cinecortex::app
