#include "cinecortex/stages/summary.hpp"

namespace cinecortex::stages {

nlohmann::json to_json(const Summary& summary) {
  nlohmann::json outputs = nlohmann::json::array();
  for (const auto& output : summary.outputs) outputs.push_back(output.string());
  return {{"stage", summary.stage}, {"seconds", summary.seconds}, {"done", summary.done},
          {"kept", summary.kept},   {"outputs", outputs},         {"details", summary.details}};
}

}  // namespace cinecortex::stages
