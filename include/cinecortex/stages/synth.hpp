#pragma once
#include <cstdint>
#include <filesystem>

#include "cinecortex/parallel/communicator.hpp"
#include "cinecortex/stages/summary.hpp"

namespace cinecortex::stages {

/// A made-up data set in the challenge's layout, for the demo, for tests and for trying a cluster.
struct SynthConfig {
  std::filesystem::path root;
  std::uint64_t seed = 1004;
  std::vector<int> subjects{1, 2, 3, 5};
  Index parcels = 200;
  Index run_tr = 100;             ///< length of a run, give or take a few TRs
  Index runs_per_season = 4;      ///< Friends s1 … s7
  Index runs_per_movie = 2;       ///< bourne, wolf (movie10), life, figures (shown twice), OOD movies
  int width = 192, height = 108;  ///< pixels
  double frame_rate_hz = 15;
  double tr_s = 1.49;
  double signal_to_noise = 1.0;  ///< variance of signal over variance of noise, before parcels differ
};

/// Writes movies, transcripts, fMRI, sample numbers, atlas and, last, truth.h5; the result does not depend on the
/// number of ranks. Finished files of the same settings (the folder's synth.json) are kept.
/// Collective: over comm (movies are dealt to ranks as they get free, parcels in blocks).
/// @throws InputError: an impossible setting; a folder of other settings or of something else; the folder cannot be
///         written, the disk is full; built without libespeak-ng.
Summary synth(const SynthConfig& config, const parallel::Communicator& comm);

}  // namespace cinecortex::stages
