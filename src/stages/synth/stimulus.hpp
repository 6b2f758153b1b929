#pragma once
#include <filesystem>

#include "latents.hpp"
#include "soundtrack.hpp"

namespace cinecortex::stages::synthetic {

/// Whether the run's movie, and its transcript where someone speaks, are there.   Collective: no.
bool stimulus_is_there(const SynthConfig& config, const PlannedRun& run);

/// Writes the run's movie and transcript.
/// @throws InputError: a folder or file that cannot be written; no libespeak-ng.   Collective: no.
void make_stimulus(const SynthConfig& config, const PlannedRun& run, const Soundtrack& soundtrack);

/// The run's latents as its finished files have them: those of language are counted in the transcript.
/// @return [L, latent_count], not standardised     @throws InputError: the transcript is not as it was
/// written.
MatrixD raw_latents(const SynthConfig& config, const PlannedRun& run);

/// @throws InputError naming the folder and the system's reason.
void make_folder(const std::filesystem::path& folder);

}  // namespace cinecortex::stages::synthetic
