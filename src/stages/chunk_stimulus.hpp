#pragma once
#include <memory>
#include <optional>
#include <vector>

#include "cinecortex/dataset/movie.hpp"
#include "cinecortex/dataset/transcript.hpp"
#include "extraction_plan.hpp"

namespace cinecortex::stages {

/// What the groups of one extraction task see of their run, read and decoded.
struct ChunkStimulus {
  struct Part {
    const GroupRun* group_run = nullptr;
    Range rows;                        ///< of the task, up to the group's last
    std::optional<FrameStack> frames;  ///< what its extractor asked for
  };
  std::vector<Part> parts;                       ///< the groups that lack these rows
  std::shared_ptr<const AudioTrack> audio;       ///< the whole run; null where no part wants it
  std::shared_ptr<const Transcript> transcript;  ///< likewise
  double seconds = 0;                            ///< that reading took
};

/// Reads what tasks need: a movie is opened when first wanted and kept, with its sound and words, while tasks of the same run
/// follow; frames are decoded once for all groups. One call at a time, from any thread.   Collective: no, none of it.
class StimulusReader {
 public:
  /// @param threads  for the decoder     @pre plan outlives it
  StimulusReader(const ExtractionPlan& plan, int threads) : plan_(plan), threads_(threads) {}

  /// @throws InputError: files that are damaged or missing.
  ChunkStimulus read(const ExtractionTask& task);

 private:
  void open(const dataset::Run& run);
  dataset::Movie& movie();
  void read_frames(const RunWork& work, ChunkStimulus& stimulus);

  const ExtractionPlan& plan_;
  int threads_;
  const dataset::Run* run_ = nullptr;
  std::unique_ptr<dataset::Movie> movie_;
  std::shared_ptr<const AudioTrack> audio_;
  std::shared_ptr<const Transcript> transcript_;
};

}  // namespace cinecortex::stages
