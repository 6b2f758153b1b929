#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "cinecortex/core/stimulus.hpp"
#include "plan.hpp"

/// What varies over a movie and drives the brain: one row a TR. Latents of picture and sound are drawn and
/// then shown; those of language are counted in the transcript that came of it.
namespace cinecortex::stages::synthetic {

inline constexpr Index visual_count = 10;
inline constexpr Index auditory_count = 7;
inline constexpr Index language_count = 4;
inline constexpr Index latent_count = visual_count + auditory_count + language_count;

/// Columns of each kind among all latents.
inline constexpr Range visual_columns{0, visual_count};
inline constexpr Range auditory_columns{visual_count, visual_count + auditory_count};
inline constexpr Range language_columns{visual_count + auditory_count, latent_count};

std::vector<std::string> latent_names();

/// Smooth random courses of mean 0 and variance 1 over the run, within ±2.5.
struct StimulusLatents {
  MatrixD visual;    ///< [L, visual_count] contrast of each grating
  MatrixD auditory;  ///< [L, auditory_count] log amplitude of each band
  MatrixD talk;      ///< [L, 2] how much is spoken, and how long the words are
};
StimulusLatents draw_latents(std::uint64_t seed, const PlannedRun& run, double tr_s);

/// A column between its rows: row i stands for the middle of its TR. Cubic; beyond the ends the end rows
/// hold.
double at_time(const MatrixD& latents, Index column, double time_tr);

/// Words, characters, fraction of speech and mean word length of each TR.
/// @return [transcript.size(), language_count]
MatrixD count_language(const Transcript& transcript, double tr_s);

}  // namespace cinecortex::stages::synthetic
