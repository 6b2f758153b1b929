#pragma once
#include <string>
#include <vector>

#include "cinecortex/dataset/catalogue.hpp"

namespace cinecortex::dataset {

/// Runs chosen by words such as `friends:1-4,6  movie10:figures  ood:*  friends:s01e01a  figures`.
/// A word is [collection:]item,item…; an item is a season or range (friends), a movie, a task or *.
/// @throws InputError: a word that cannot be read or that matches no run (says which runs there are).
std::vector<std::string> select(const Catalogue& catalogue, const std::string& selector,
                                const std::string& key);

/// The roles of runs. Tasks, sorted as in the catalogue.
struct Split {
  std::vector<std::string> base;
  std::vector<std::string> stack;
  std::vector<std::string> test;
};
/// @throws InputError naming the runs if one is in base and stack, or in test and a fit (unless allow_leak).
Split make_split(const Catalogue& catalogue, const std::string& base, const std::string& stack,
                 const std::string& test, bool allow_leak);

}  // namespace cinecortex::dataset
