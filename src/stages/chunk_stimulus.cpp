#include "chunk_stimulus.hpp"

#include <algorithm>

#include "cinecortex/core/clock.hpp"

namespace cinecortex::stages {

using models::Needs;

ChunkStimulus StimulusReader::read(const ExtractionTask& task) {
  const Stopwatch clock;
  const RunWork& work = plan_.work[task.work];
  open(*work.run);
  ChunkStimulus stimulus;
  Needs needs = Needs::none;
  for (const auto& part : work.groups) {
    if (part.current || task.rows.begin >= part.rows) continue;
    stimulus.parts.push_back(
        {.group_run = &part, .rows = {task.rows.begin, std::min(task.rows.end, part.rows)}, .frames = {}});
    needs = needs | plan_.groups[part.group].extractor->needs();
  }
  read_frames(work, stimulus);
  if (has(needs, Needs::audio)) {
    if (!audio_) audio_ = std::make_shared<const AudioTrack>(movie().audio());
    stimulus.audio = audio_;
  }
  if (has(needs, Needs::text)) {
    if (!transcript_) {
      transcript_ = std::make_shared<const Transcript>(dataset::read_transcript(run_->transcript));
    }
    stimulus.transcript = transcript_;
  }
  stimulus.seconds = clock.seconds();
  return stimulus;
}

void StimulusReader::open(const dataset::Run& run) {
  if (run_ == &run) return;
  run_ = &run;
  movie_.reset();
  audio_.reset();
  transcript_.reset();
}

dataset::Movie& StimulusReader::movie() {
  if (!movie_) movie_ = std::make_unique<dataset::Movie>(run_->movie, threads_);
  return *movie_;
}

void StimulusReader::read_frames(const RunWork& work, ChunkStimulus& stimulus) {
  std::vector<FrameRequest> requests;
  std::vector<ChunkStimulus::Part*> asking;
  for (auto& part : stimulus.parts) {
    const auto& extractor = *plan_.groups[part.group_run->group].extractor;
    if (auto request = extractor.frame_request(work.info, part.rows)) {
      requests.push_back(std::move(*request));
      asking.push_back(&part);
    }
  }
  if (requests.empty()) return;
  auto frames = movie().frames(requests);
  for (std::size_t i = 0; i < asking.size(); ++i) asking[i]->frames = std::move(frames[i]);
}

}  // namespace cinecortex::stages
