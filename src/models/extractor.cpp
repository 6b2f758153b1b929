#include "cinecortex/models/extractor.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>

#include "catalogue.hpp"
#include "cinecortex/core/error.hpp"

namespace cinecortex::models {
namespace {

using Factory = std::unique_ptr<Extractor> (*)(const Options&, const ModelConfig&);

struct Entry {
  ModelInfo info;
  Factory make;
};

std::vector<Entry> entries() {
  return {{motion_energy_info(), make_motion_energy},
          {audio_energy_info(), make_audio_energy},
          {word_rate_info(), make_word_rate},
          {torchscript_info(), make_torchscript},
          {whisper_info(), make_whisper},
          {llama_info(), make_llama},
          {internvl_info(), make_internvl},
          {slow_r50_info(), make_slow_r50}};
}

std::vector<ModelInfo> infos() {
  std::vector<ModelInfo> result;
  for (auto& entry : entries()) result.push_back(std::move(entry.info));
  return result;
}

Entry find(const std::string& name) {
  std::vector<std::string> names;
  for (auto& entry : entries()) {
    if (entry.info.name == name) return std::move(entry);
    names.push_back(entry.info.name);
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
  const Entry entry = find(config.model);
  if (!(config.tr_s > 0) || !std::isfinite(config.tr_s)) {
    throw InputError(fmt::format("tr_s = {}: allowed: a number of seconds above 0", config.tr_s));
  }
  if (entry.info.needs_weights && config.weights.empty()) {
    throw InputError(
        fmt::format("model {}: weights are missing; give the file or folder they are in", config.model));
  }
  if (!entry.info.needs_weights && !config.weights.empty()) {
    throw InputError(fmt::format("model {}: weights = \"{}\": this model has none; leave the key out",
                                 config.model, config.weights.string()));
  }
  return entry.make(Options(entry.info, config.options), config);
}

}  // namespace cinecortex::models
