#pragma once
#include <memory>

#include "cinecortex/models/extractor.hpp"
#include "options.hpp"

namespace cinecortex::models {

/// The model of that name, from checked options.
/// @throws InputError where the weights or the options do not serve, and in a build without models.
std::unique_ptr<Extractor> make_model(const Options& options, const ModelConfig& config);

// What make_model chooses from.
std::unique_ptr<Extractor> make_motion_energy(const Options& options, const ModelConfig& config);
std::unique_ptr<Extractor> make_audio_energy(const Options& options, const ModelConfig& config);
std::unique_ptr<Extractor> make_word_rate(const Options& options, const ModelConfig& config);
std::unique_ptr<Extractor> make_internvl(const Options& options, const ModelConfig& config);
std::unique_ptr<Extractor> make_torchscript(const Options& options, const ModelConfig& config);
std::unique_ptr<Extractor> make_whisper(const Options& options, const ModelConfig& config);
std::unique_ptr<Extractor> make_llama(const Options& options, const ModelConfig& config);
std::unique_ptr<Extractor> make_slow_r50(const Options& options, const ModelConfig& config);

}  // namespace cinecortex::models
