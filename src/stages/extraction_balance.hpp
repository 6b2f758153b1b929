#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cinecortex/parallel/work_queue.hpp"

namespace cinecortex::stages {

/// Some TRs of a run that a rank extracted.
struct ExtractedChunk {
  int rank = 0;
  std::string run;
  Range rows;
  double seconds = 0;
};

/// How an extraction was shared among the ranks. The same on all of them.
struct ExtractionBalance {
  struct Rank {
    std::string node;
    Index chunks = 0, tr = 0;
    double busy_s = 0, idle_s = 0;  ///< joining of chunks counts as busy
  };
  std::vector<Rank> ranks;
  std::vector<ExtractedChunk> chunks;  ///< rank by rank
};

/// @param mine  chunks of this rank   Collective: over comm.
ExtractionBalance gather_balance(const parallel::QueueReport& report, const std::vector<ExtractedChunk>& mine,
                                 const parallel::Communicator& comm);

/// Ranks that take twice as long for a TR as the median chunk, and single chunks that take three times as long, each a
/// sentence with rank, node and place. A rank's first chunk does not count, for it loads the networks; what costs less
/// than ten seconds is not worth a sentence.   Collective: no.
std::vector<std::string> stragglers(const ExtractionBalance& balance);

/// One line: how busy the ranks were, which waited longest, which chunk was the slowest. "" where one rank had all the
/// work or there was none.   Collective: no.
std::string describe(const ExtractionBalance& balance);

/// Ranks, the slowest chunks and the stragglers, for `--json` and the manifest.   Collective: no.
nlohmann::json to_json(const ExtractionBalance& balance);

/// The line, the stragglers as warnings, and, at level debug, a line a rank. For rank 0.   Collective: no.
void log_balance(const ExtractionBalance& balance);

}  // namespace cinecortex::stages
