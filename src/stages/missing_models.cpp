#include "missing_models.hpp"

#include <algorithm>

namespace cinecortex::stages {

std::vector<Index> missing_models(const Experiment& experiment, const FeatureTable& features,
                                  const std::string& run) {
  std::vector<Index> missing;
  for (std::size_t i = 0; i < experiment.spaces.size(); ++i) {
    if (features.at(experiment.spaces[i].name).at(run).rows == 0) missing.push_back(static_cast<Index>(i));
  }
  return missing;
}

std::vector<std::vector<Index>> missing_sets(const Experiment& experiment, const FeatureTable& features,
                                             const std::vector<std::string>& runs) {
  std::vector<std::vector<Index>> sets;
  for (const auto& run : runs) {
    auto set = missing_models(experiment, features, run);
    if (!set.empty() && std::find(sets.begin(), sets.end(), set) == sets.end())
      sets.push_back(std::move(set));
  }
  return sets;
}

std::string set_name(const Experiment& experiment, const std::vector<Index>& set) {
  std::string name;
  for (const Index i : set)
    name += (name.empty() ? "" : "+") + experiment.spaces[static_cast<std::size_t>(i)].name;
  return name;
}

}  // namespace cinecortex::stages
