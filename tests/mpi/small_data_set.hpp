#pragma once
#include <filesystem>

#include "cinecortex/stages/synth.hpp"

namespace cinecortex::testing {

/// Makes a data set of one person for tests of the extraction, one run of `run_tr` TRs of 0.8 s a season and movie; what is
/// at `root` already goes.   Collective: over comm.
inline void make_small_data_set(const std::filesystem::path& root, Index run_tr, Index width, Index height,
                                const parallel::Communicator& comm) {
  if (comm.root()) std::filesystem::remove_all(root);
  comm.barrier();
  stages::SynthConfig config;
  config.root = root;
  config.subjects = {1};
  config.parcels = 4;
  config.run_tr = run_tr;
  config.tr_s = 0.8;
  config.runs_per_season = 1;
  config.runs_per_movie = 1;
  config.width = width;
  config.height = height;
  config.frame_rate_hz = 8;
  stages::synth(config, comm);
}

}  // namespace cinecortex::testing
