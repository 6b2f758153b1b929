#pragma once
#include <string>
#include <vector>

#include "cinecortex/dataset/run_id.hpp"
#include "cinecortex/stages/synth.hpp"

namespace cinecortex::stages::synthetic {

/// One scan: a subject sees a run.
struct Presentation {
  int subject = 0;
  int repeat = 0;       ///< 0: shown once; 1, 2: of the movies that are shown twice
  Index rows = 0;       ///< T, a few more or fewer than the movie's L
  std::string dataset;  ///< ses-001_task-s01e01a, ses-003_task-life01_run-2
};

struct PlannedRun {
  dataset::RunId id;
  Index rows = 0;  ///< L = round(duration / TR)
  double duration_s = 0;
  bool speech = true;
  bool withheld = false;  ///< responses go into truth.h5 instead of the subjects' files
  std::vector<Presentation> presentations;
};

/// Every run of the data set, in catalogue order, with its lengths and who saw it. sub-02 lacks the last run
/// of season 5 and sub-05 the first ones of season 4, as in the real data, where that leaves a run.
/// Collective: no.
std::vector<PlannedRun> plan_runs(const SynthConfig& config);

Index longest_rows(const PlannedRun& run);  ///< the largest of L and every T

}  // namespace cinecortex::stages::synthetic
