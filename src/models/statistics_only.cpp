// In place of every model and of libtorch, in a program for statistics alone.
#include <fmt/format.h>

#include "cinecortex/core/error.hpp"
#include "cinecortex/models/runtime.hpp"
#include "factories.hpp"

namespace cinecortex::models {

bool statistics_only() {
  return true;
}

std::unique_ptr<Extractor> make_model(const Options&, const ModelConfig& config) {
  throw InputError(
      fmt::format("model {}: this program is built for statistics only, without feature spaces; "
                  "extract with a complete build",
                  config.model));
}

std::string torch_version() {
  return "not in this build";
}

std::string cuda_description() {
  return "not in this build";
}

int cuda_devices() {
  return 0;
}

std::vector<std::string> gpu_identifiers() {
  return {};
}

std::string resolve_device(const std::string& wanted) {
  if (wanted == "auto" || wanted == "cpu") return "cpu";
  throw InputError(
      fmt::format("device \"{}\": this program is built for statistics only, without libtorch; "
                  "allowed: auto, cpu",
                  wanted));
}

}  // namespace cinecortex::models
