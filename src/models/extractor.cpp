#include "cinecortex/models/extractor.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>

#include "batching.hpp"
#include "catalogue.hpp"
#include "cinecortex/core/error.hpp"

namespace cinecortex::models {
namespace {

std::vector<Model> all_models() {
  return {motion_energy_model(), audio_energy_model(), word_rate_model(), torchscript_model(),
          whisper_model(),       llama_model(),        internvl_model(),  slow_r50_model()};
}

std::vector<ModelInfo> infos() {
  std::vector<ModelInfo> result;
  for (auto& model : all_models()) result.push_back(std::move(model.info));
  return result;
}

Model find(const std::string& name) {
  std::vector<std::string> names;
  for (auto& model : all_models()) {
    if (model.info.name == name) return std::move(model);
    names.push_back(model.info.name);
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

const std::vector<ModelInfo>& model_catalogue() {
  static const std::vector<ModelInfo> catalogue = infos();
  return catalogue;
}

std::unique_ptr<Extractor> make_extractor(const ModelConfig& config) {
  const Model model = find(config.model);
  if (!(config.tr_s > 0) || !std::isfinite(config.tr_s)) {
    throw InputError(fmt::format("tr_s = {}: allowed: a number of seconds above 0", config.tr_s));
  }
  if (model.info.needs_weights && config.weights.empty()) {
    throw InputError(
        fmt::format("model {}: weights are missing; give the file or folder they are in", config.model));
  }
  if (!model.info.needs_weights && !config.weights.empty()) {
    throw InputError(fmt::format("model {}: weights = \"{}\": this model has none; leave the key out",
                                 config.model, config.weights.string()));
  }
  try {
    return model.make(Options(model.info, config.options), config);
  } catch (const std::exception& error) {
    if (!is_out_of_memory(error)) throw;
    throw InputError(fmt::format("model {}: memory of {} ran out while {} was loaded; {}", config.model,
                                 config.device, config.weights.string(), memory_advice));
  }
}

}  // namespace cinecortex::models
