#pragma once
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cinecortex/core/types.hpp"

namespace cinecortex::stages {

/// What a stage did. The same on every rank; rank 0 prints it.
struct Summary {
  std::string stage;
  double seconds = 0;
  Index done = 0;  ///< outputs made now
  Index kept = 0;  ///< outputs that were there, of the same inputs and settings
  std::vector<std::filesystem::path> outputs;
  std::string text;                                   ///< for people: a table, a few lines; may be empty
  nlohmann::json details = nlohmann::json::object();  ///< for `--json` and the manifest
};

nlohmann::json to_json(const Summary& summary);

}  // namespace cinecortex::stages
