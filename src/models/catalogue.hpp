#pragma once
#include <memory>

#include "cinecortex/models/extractor.hpp"
#include "options.hpp"

/// What each model adds to the catalogue: its description, and how it is made from checked options.
namespace cinecortex::models {

ModelInfo motion_energy_info();
std::unique_ptr<Extractor> make_motion_energy(const Options& options, const ModelConfig& config);

ModelInfo audio_energy_info();
std::unique_ptr<Extractor> make_audio_energy(const Options& options, const ModelConfig& config);

ModelInfo word_rate_info();
std::unique_ptr<Extractor> make_word_rate(const Options& options, const ModelConfig& config);

ModelInfo internvl_info();
std::unique_ptr<Extractor> make_internvl(const Options& options, const ModelConfig& config);

ModelInfo torchscript_info();
std::unique_ptr<Extractor> make_torchscript(const Options& options, const ModelConfig& config);

ModelInfo whisper_info();
std::unique_ptr<Extractor> make_whisper(const Options& options, const ModelConfig& config);

ModelInfo llama_info();
std::unique_ptr<Extractor> make_llama(const Options& options, const ModelConfig& config);

ModelInfo slow_r50_info();
std::unique_ptr<Extractor> make_slow_r50(const Options& options, const ModelConfig& config);

}  // namespace cinecortex::models
