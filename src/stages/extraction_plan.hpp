#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "context.hpp"
#include "digests.hpp"

namespace cinecortex::stages {

/// One network (or low-level model) and the spaces that read from it: a forward pass serves them all.
struct ExtractorGroup {
  std::unique_ptr<models::Extractor> extractor;
  struct Output {
    const SpaceConfig* space;
    std::size_t reading;  ///< position in extractor->readings()
  };
  std::vector<Output> outputs;
};

/// One group's work on one run.
struct GroupRun {
  std::size_t group = 0;
  Index rows = 0;                    ///< L; 0: nothing to extract (no transcript)
  std::vector<std::string> digests;  ///< one an output
  bool current = false;              ///< every output is there already
};

/// What is to be extracted of one run.
struct RunWork {
  const dataset::Run* run = nullptr;
  models::RunInfo info;
  std::vector<GroupRun> groups;
  std::string movie_digest;       ///< "" where no space needs the movie
  std::string transcript_digest;  ///< likewise
};

/// A piece of work for one rank: some TRs of a run for every group that lacks them, or the joining of a run's chunks.
struct ExtractionTask {
  std::size_t work = 0;  ///< position in the list of RunWork
  Range rows;            ///< empty: join
};

struct ExtractionPlan {
  std::vector<ExtractorGroup> groups;
  std::vector<RunWork> work;
  std::vector<ExtractionTask> tasks;  ///< longest runs first
  Index current_files = 0, missing_files = 0;
};

/// @throws InputError: unknown reading, missing weights.   Collective: no.
std::vector<ExtractorGroup> make_groups(const std::vector<SpaceConfig>& spaces, const Runtime& runtime);

/// Removes what interrupted extractions left, chunks of older settings included.   Collective: no.
void remove_chunks(const Config& config, const Outputs& outputs);

/// Opens every movie's header (dealt to ranks), decides each space's rows, and checks them against the fMRI.
/// @throws InputError: a missing movie or sound that a space needs, lengths that differ.   Collective: over comm.
ExtractionPlan plan_extraction(const Config& config, const Context& context,
                               const parallel::Communicator& comm);

/// Lengths and widths of the features that are there or will be.   Collective: no.
FeatureTable planned_features(const ExtractionPlan& plan);

}  // namespace cinecortex::stages
