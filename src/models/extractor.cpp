#include "cinecortex/models/extractor.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>

#include "cinecortex/core/error.hpp"
#include "factories.hpp"

namespace cinecortex::models {
namespace {

const ModelInfo& find(const std::string& name) {
  std::vector<std::string> names;
  for (const auto& info : model_catalogue()) {
    if (info.name == name) return info;
    names.push_back(info.name);
  }
  const auto closest = closest_name(name, names);
  throw InputError(fmt::format("model = \"{}\": there is no such model{}; there are {}", name,
                               closest.empty() ? "" : fmt::format(" (did you mean \"{}\"?)", closest),
                               fmt::join(names, ", ")));
}

}  // namespace

Index Extractor::rows(const RunInfo& info) const {
  if (needs() == Needs::text) return info.transcript_rows;
  const double duration_s = info.video_s > 0 ? info.video_s : info.audio_s;
  return static_cast<Index>(std::llround(duration_s / info.tr_s));
}

std::optional<FrameRequest> Extractor::frame_request(const RunInfo&, Range) const {
  return std::nullopt;
}

std::unique_ptr<Extractor> make_extractor(const ModelConfig& config) {
  const ModelInfo& info = find(config.model);
  if (!(config.tr_s > 0) || !std::isfinite(config.tr_s)) {
    throw InputError(fmt::format("tr_s = {}: allowed: a number of seconds above 0", config.tr_s));
  }
  if (info.needs_weights && config.weights.empty()) {
    throw InputError(
        fmt::format("model {}: weights are missing; give the file or folder they are in", config.model));
  }
  if (!info.needs_weights && !config.weights.empty()) {
    throw InputError(fmt::format("model {}: weights = \"{}\": this model has none; leave the key out",
                                 config.model, config.weights.string()));
  }
  return make_model(Options(info, config.options), config);
}

}  // namespace cinecortex::models
