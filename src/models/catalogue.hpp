#pragma once
#include <memory>

#include "cinecortex/models/extractor.hpp"
#include "options.hpp"

namespace cinecortex::models {

/// What a model adds to the catalogue: its description, and how it is made from checked options.
struct Model {
  ModelInfo info;
  std::unique_ptr<Extractor> (*make)(const Options&, const ModelConfig&);
};

// Each is defined beside its extractor.
Model motion_energy_model();
Model audio_energy_model();
Model word_rate_model();
Model torchscript_model();
Model whisper_model();
Model llama_model();
Model internvl_model();
Model slow_r50_model();

}  // namespace cinecortex::models
