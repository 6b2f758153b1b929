#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "ahead.hpp"
#include "cinecortex/core/clock.hpp"
#include "cinecortex/core/progress.hpp"
#include "cinecortex/dataset/movie.hpp"
#include "cinecortex/dataset/transcript.hpp"
#include "cinecortex/io/hdf5.hpp"
#include "cinecortex/parallel/agree.hpp"
#include "cinecortex/parallel/work_queue.hpp"
#include "inputs.hpp"
#include "outputs.hpp"

namespace cinecortex::stages::matrices {
namespace {

using models::Needs;

/// One movie, sound or transcript as an extractor sees it; opened by every rank for its own chunks.
class SingleRun {
 public:
  explicit SingleRun(const ExtractConfig& config)
      : config_(config), extractor_(models::make_extractor(config.model)) {
    const auto needs = extractor_->needs();
    info_.run = stimulus().stem().string();
    info_.tr_s = config.model.tr_s;
    if (!config.movie.empty() || !config.audio.empty()) {
      movie_ = std::make_unique<dataset::Movie>(config.movie.empty() ? config.audio : config.movie,
                                                config.runtime.threads);
      info_.video_s = movie_->info().video_s;
      info_.audio_s = movie_->info().audio_s;
      info_.frame_rate_hz = movie_->info().frame_rate_hz;
    }
    if (has(needs, Needs::text) && !config.transcript.empty()) {
      transcript_ = dataset::read_transcript(config.transcript);
      info_.transcript_rows = static_cast<Index>(transcript_.size());
    }
    require(needs, Needs::frames, info_.video_s > 0, "frames: give --movie with a video track");
    require(needs, Needs::audio, info_.audio_s > 0, "sound: give --audio, or --movie with an audio track");
    require(needs, Needs::text, !config.transcript.empty(), "words: give --transcript");
    find_reading();
    rows_ = extractor_->rows(info_);
    if (rows_ <= 0) throw InputError(fmt::format("{}: is shorter than half a TR", stimulus().string()));
  }

  Index rows() const { return rows_; }
  const models::Reading& reading() const { return extractor_->readings()[reading_]; }
  std::string identity() const { return extractor_->identity(); }
  const std::string& run() const { return info_.run; }

  using Frames = std::optional<FrameStack>;

  /// Decodes what extract() needs. One call at a time, from any thread.
  Frames read(Range rows) {
    if (has(extractor_->needs(), Needs::audio) && !audio_) audio_ = movie_->audio();
    const auto request = extractor_->frame_request(info_, rows);
    return request ? Frames(std::move(movie_->frames(std::span(&*request, 1)).front())) : std::nullopt;
  }

  /// @param frames  of read(rows)
  MatrixF extract(Range rows, const Frames& frames) {
    models::Stimulus stimulus{
        .info = info_, .frames = frames ? &*frames : nullptr, .audio = {}, .transcript = transcript_};
    if (audio_) stimulus.audio = audio_->samples;
    std::vector<MatrixF> outputs(extractor_->readings().size());
    outputs[reading_].resize(rows.size(), reading().width);
    extractor_->extract(stimulus, rows, outputs);
    return std::move(outputs[reading_]);
  }

 private:
  const std::filesystem::path& stimulus() const {
    if (!config_.movie.empty()) return config_.movie;
    return config_.audio.empty() ? config_.transcript : config_.audio;
  }
  void require(Needs needs, Needs what, bool there, const char* advice) const {
    if (!has(needs, what) || there) return;
    throw InputError(
        fmt::format("{}: the model {} needs {}", stimulus().string(), config_.model.model, advice));
  }
  void find_reading() {
    const auto& readings = extractor_->readings();
    std::string allowed;
    for (reading_ = 0; reading_ < readings.size(); ++reading_) {
      if (readings[reading_].name == config_.reading) return;
      allowed += (allowed.empty() ? "" : ", ") + ("\"" + readings[reading_].name + "\"");
    }
    throw InputError(
        fmt::format("--reading \"{}\": the model {} has {}", config_.reading, config_.model.model, allowed));
  }

  const ExtractConfig& config_;
  std::unique_ptr<models::Extractor> extractor_;
  models::RunInfo info_;
  std::unique_ptr<dataset::Movie> movie_;
  std::optional<AudioTrack> audio_;
  Transcript transcript_;
  std::size_t reading_ = 0;
  Index rows_ = 0;
};

struct Chunk {
  Index begin = 0;
  MatrixF values;
};

/// The chunks that this rank computed.   Collective: over comm.
std::vector<Chunk> extract_chunks(SingleRun& run, const Runtime& runtime,
                                  const parallel::Communicator& comm) {
  const Index length = runtime.chunk_tr;
  const auto rows_of = [&](Index task) {
    return Range{task * length, std::min((task + 1) * length, run.rows())};
  };
  Ahead<SingleRun::Frames> frames([&](Index task) { return run.read(rows_of(task)); });
  std::vector<Chunk> mine;
  const parallel::Announce announce = [&](Index task) { frames.announce(task); };
  Progress progress("extract", static_cast<double>(run.rows()), "TR", runtime.progress && comm.root());
  parallel::run_queue(
      comm, (run.rows() + length - 1) / length,
      [&](Index task) {
        const auto decoded = frames.take(task);
        mine.push_back({rows_of(task).begin, run.extract(rows_of(task), decoded)});
      },
      [&](Index) -> std::optional<Index> {
        progress.add(static_cast<double>(length));
        return std::nullopt;
      },
      runtime.decode_ahead ? announce : parallel::Announce{});
  return mine;
}

void write_features(const ExtractConfig& config, const SingleRun& run, const std::string& digest,
                    const std::vector<Chunk>& chunks, const parallel::Communicator& comm) {
  io::Hdf5Writer writer(config.output, comm,
                        {{digest_attribute, digest},
                         {"kind", std::string("features")},
                         {"model", config.model.model},
                         {"run", run.run()},
                         {"tr_s", config.model.tr_s}});
  const auto& reading = run.reading();
  writer.create("/features", {run.rows(), reading.width},
                {.type = io::Stored::float32,
                 .attributes = {{"description", "features of model " + config.model.model +
                                                    ", one row a TR; row i covers [i, i+1) TR of the movie"}},
                 .dimensions = {"TR", "feature"}});
  const Index rounds = comm.max(static_cast<std::int64_t>(chunks.size()));
  const Chunk nothing{0, MatrixF(0, reading.width)};
  for (Index i = 0; i < rounds; ++i) {
    const bool busy = i < static_cast<Index>(chunks.size());
    const Chunk& chunk = busy ? chunks[static_cast<std::size_t>(i)] : nothing;
    writer.write<float>("/features", chunk.values, chunk.begin, 0);
  }
  if (!reading.columns.empty()) {
    writer.put("/columns", reading.columns,
               {.attributes = {{"description", std::string("names of the features")}}});
  }
  writer.commit();
}

}  // namespace

Summary extract(const ExtractConfig& config, const parallel::Communicator& comm) {
  const Stopwatch clock;
  const std::vector<std::string> inputs{config.movie.string(), config.audio.string(),
                                        config.transcript.string()};
  const auto run = parallel::agree(comm, [&] {
    check_output(config.output, {".h5", ".hdf5"}, inputs);
    return std::make_unique<SingleRun>(config);
  });
  const auto digest = job_digest(
      "extract", inputs,
      [&](Digest& d) { d.add(run->identity()).add(config.reading).add(config.model.tr_s); }, comm);
  const auto plan =
      fmt::format("extract: {} TRs × {} features of {}", run->rows(), run->reading().width, run->run());
  if (auto summary = nothing_to_do("extract", config.output, digest, config.handling, plan, comm))
    return *summary;

  const auto chunks = extract_chunks(*run, config.runtime, comm);
  write_features(config, *run, digest, chunks, comm);
  Summary summary{.stage = "extract", .seconds = clock.seconds(), .done = 1, .outputs = {config.output}};
  summary.text =
      fmt::format("{}: {} TRs × {} features\n", config.output.string(), run->rows(), run->reading().width);
  summary.details = {{"rows", run->rows()}, {"features", run->reading().width}};
  return summary;
}

}  // namespace cinecortex::stages::matrices
