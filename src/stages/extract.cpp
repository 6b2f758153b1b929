#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>

#include "ahead.hpp"
#include "chunk_stimulus.hpp"
#include "cinecortex/core/clock.hpp"
#include "cinecortex/core/log.hpp"
#include "cinecortex/core/progress.hpp"
#include "cinecortex/io/hdf5.hpp"
#include "cinecortex/io/npy.hpp"
#include "cinecortex/parallel/work_queue.hpp"
#include "cinecortex/stages/stages.hpp"
#include "extraction_balance.hpp"
#include "extraction_time.hpp"
#include "timed_stage.hpp"

namespace cinecortex::stages {
namespace {

using models::Needs;

/// Does the tasks of an extraction plan on one rank.
class Worker {
 public:
  Worker(const ExtractionPlan& plan, const Config& config, const Outputs& outputs,
         const parallel::Communicator& self)
      : plan_(plan),
        config_(config),
        outputs_(outputs),
        self_(self),
        meters_(plan.groups.size()),
        reader_(plan, config.runtime.threads),
        stimuli_([this](Index number) { return reader_.read(*chunk_task(number)); }) {}

  /// What execute() will get after the next task: it is read while that one is computed.
  void announce(Index number) {
    if (chunk_task(number) != nullptr) stimuli_.announce(number);
  }

  /// @param number  of the plan's tasks, or their count plus a run's number: its join
  void execute(Index number) {
    if (number >= std::ssize(plan_.tasks))
      return join(plan_.work[static_cast<std::size_t>(number) - plan_.tasks.size()]);
    const RunWork& work = plan_.work[plan_.tasks[static_cast<std::size_t>(number)].work];
    if (chunk_task(number) == nullptr) return join(work);
    auto stimulus = stimuli_.take(number);
    for (auto& part : stimulus.parts) {
      compute(work, stimulus, part);
      part.frames.reset();
    }
  }

 private:
  /// Null for the join of a run.
  const ExtractionTask* chunk_task(Index number) const {
    if (number >= std::ssize(plan_.tasks)) return nullptr;
    const auto& task = plan_.tasks[static_cast<std::size_t>(number)];
    return task.rows.empty() ? nullptr : &task;
  }

  /// Puts a run's chunks into its feature files and removes them.
  void join(const RunWork& work) {
    for (const auto& part : work.groups) {
      if (part.current) continue;
      for (std::size_t i = 0; i < part.digests.size(); ++i) join(work, part, i);
    }
  }

  void compute(const RunWork& work, const ChunkStimulus& chunk, const ChunkStimulus::Part& asked) {
    const GroupRun& part = *asked.group_run;
    const Range rows = asked.rows;
    const auto& group = plan_.groups[part.group];
    const auto needs = group.extractor->needs();
    models::Stimulus stimulus{
        .info = work.info, .frames = asked.frames ? &*asked.frames : nullptr, .audio = {}, .transcript = {}};
    if (has(needs, Needs::audio)) stimulus.audio = chunk.audio->samples;
    if (has(needs, Needs::text)) stimulus.transcript = *chunk.transcript;
    const auto& readings = group.extractor->readings();
    std::vector<MatrixF> outputs(readings.size());
    for (const auto& output : group.outputs) {
      outputs[output.reading].resize(rows.size(), readings[output.reading].width);
    }
    const Stopwatch clock;
    try {
      group.extractor->extract(stimulus, rows, outputs);
    } catch (const Error&) {
      throw;  // says where by itself
    } catch (const std::exception& e) {
      throw Error(fmt::format("run {}, TRs {} to {}, space {}: {}", work.run->id.task, rows.begin, rows.end,
                              group.outputs.front().space->name, e.what()));
    }
    meters_[part.group].add(rows.size(), {.computing_s = clock.seconds(), .reading_s = chunk.seconds});
    for (std::size_t i = 0; i < group.outputs.size(); ++i) {
      const auto& output = group.outputs[i];
      io::write_npy(outputs_.chunk(output.space->name, work.run->id.task, part.digests[i], rows.begin),
                    outputs[output.reading]);
    }
  }

  void join(const RunWork& work, const GroupRun& part, std::size_t output) {
    const auto& group = plan_.groups[part.group];
    const auto& space = *group.outputs[output].space;
    const auto& reading = group.extractor->readings()[group.outputs[output].reading];
    const auto& run = work.run->id.task;
    std::map<std::string, io::Attribute> attributes{
        {digest_attribute, part.digests[output]},
        {"settings_digest", feature_settings_digest(space, config_.experiment.data)},
        {"kind", std::string("features")},
        {"space", space.name},
        {"model", space.model.model},
        {"run", run},
        {"tr_s", config_.experiment.data.tr_s}};
    if (const auto pace = meters_[part.group].a_tr()) {
      attributes[computing_attribute] = pace->computing_s;
      attributes[reading_attribute] = pace->reading_s;
    }
    io::Hdf5Writer writer(outputs_.features(space.name, run), self_, attributes);
    writer.create(
        "/features", {part.rows, reading.width},
        {.type = io::Stored::float32,
         .attributes = {{"description", std::string("features of space ") + space.name +
                                            ", one row a TR; row i covers [i, i+1) TR of the movie"}},
         .dimensions = {"TR", "feature"}});
    std::vector<std::filesystem::path> chunks;
    for (Index begin = 0; begin < part.rows; begin += config_.runtime.chunk_tr) {
      chunks.push_back(outputs_.chunk(space.name, run, part.digests[output], begin));
      const io::NpyFile chunk(chunks.back());
      if (chunk.rows() != std::min(config_.runtime.chunk_tr, part.rows - begin)) {
        throw Error(fmt::format("{}: {} rows, which is not what was extracted; run again with --force",
                                chunks.back().string(), chunk.rows()));
      }
      const MatrixF rows = chunk.read({0, chunk.rows()}, {0, chunk.columns()}).cast<float>();
      writer.write<float>("/features", rows, begin, 0);
    }
    if (!reading.columns.empty()) {
      writer.put("/columns", reading.columns,
                 {.attributes = {{"description", std::string("name of each feature")}}});
    }
    writer.commit();
    for (const auto& chunk : chunks) std::filesystem::remove(chunk);
  }

  const ExtractionPlan& plan_;
  const Config& config_;
  const Outputs& outputs_;
  const parallel::Communicator& self_;
  std::vector<PaceMeter> meters_;  ///< of each group
  StimulusReader reader_;
  Ahead<ChunkStimulus> stimuli_;  // destroyed first, for its thread uses the rest
};

/// How many chunks of each run are still to do, for rank 0's queue.
class Countdown {
 public:
  explicit Countdown(const ExtractionPlan& plan) : plan_(plan), left_(plan.work.size(), 0) {
    for (const auto& task : plan.tasks) left_[task.work] += task.rows.empty() ? 0 : 1;
  }
  /// The join that this task makes possible, if it was the last chunk of its run.
  std::optional<Index> completed(const ExtractionTask& task) {
    if (task.rows.empty() || --left_[task.work] > 0) return std::nullopt;
    return static_cast<Index>(plan_.tasks.size() + task.work);
  }

 private:
  const ExtractionPlan& plan_;
  std::vector<Index> left_;
};

void make_chunk_folders(const Config& config, const Outputs& outputs) {
  for (const auto& space : config.experiment.spaces) {
    const auto folder = outputs.features_folder(space.name) / "chunks";
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error)
      throw InputError(fmt::format("{}: the folder cannot be made ({})", folder.string(), error.message()));
  }
}

void warn_about_missing(const ExtractionPlan& plan) {
  for (std::size_t g = 0; g < plan.groups.size(); ++g) {
    std::string runs;
    for (const auto& work : plan.work) {
      if (work.groups[g].rows == 0) runs += (runs.empty() ? "" : ", ") + work.run->id.task;
    }
    if (runs.empty()) continue;
    log::warn("space {}: no transcript for {}; these runs go without it, and the stack is refitted for them",
              plan.groups[g].outputs.front().space->name, runs);
  }
}

std::vector<ExtractedChunk> chunks_of(const parallel::QueueReport& report, const ExtractionPlan& plan,
                                      int rank) {
  std::vector<ExtractedChunk> chunks;
  for (const auto& [i, seconds] : report.times) {
    if (i >= static_cast<Index>(plan.tasks.size())) continue;
    const auto& task = plan.tasks[static_cast<std::size_t>(i)];
    if (!task.rows.empty()) chunks.push_back({rank, plan.work[task.work].run->id.task, task.rows, seconds});
  }
  return chunks;
}

/// TRs that are extracted, on rank 0.
struct TrCount {
  Index done = 0, wanted = 0;
};

void extract_missing(const Config& config, const parallel::Communicator& comm, Summary& summary,
                     TrCount& count) {
  const Context context = make_context(config, comm);
  const ExtractionPlan plan = plan_extraction(config, context, comm);
  if (comm.root()) warn_about_missing(plan);
  parallel::agree(comm, [&] {
    if (comm.root() && !plan.tasks.empty()) make_chunk_folders(config, context.outputs);
  });

  const parallel::Communicator self = comm.split(comm.rank(), 0);
  Worker worker(plan, config, context.outputs, self);
  Countdown countdown(plan);
  for (const auto& task : plan.tasks) count.wanted += task.rows.size();
  Progress progress("extract", static_cast<double>(count.wanted), "TR",
                    config.runtime.progress && comm.root() && !plan.tasks.empty());
  const auto tasks = static_cast<Index>(plan.tasks.size());
  const parallel::Announce announce = [&](Index i) { worker.announce(i); };
  const auto report = parallel::run_queue(
      comm, tasks, [&](Index i) { worker.execute(i); },
      [&](Index i) -> std::optional<Index> {
        if (i >= tasks) return std::nullopt;
        const auto& task = plan.tasks[static_cast<std::size_t>(i)];
        count.done += task.rows.size();
        progress.set(static_cast<double>(count.done));
        return countdown.completed(task);
      },
      config.runtime.decode_ahead ? announce : parallel::Announce{});
  progress.finish();
  if (comm.root()) remove_chunks(config, context.outputs);

  summary.done = plan.missing_files;
  summary.kept = plan.current_files;
  for (const auto& space : config.experiment.spaces) {
    summary.outputs.push_back(context.outputs.features_folder(space.name));
  }
  for (const auto& work : plan.work) {
    if (!work.movie_digest.empty()) summary.details["inputs"][work.run->movie.string()] = work.movie_digest;
    if (!work.transcript_digest.empty()) {
      summary.details["inputs"][work.run->transcript.string()] = work.transcript_digest;
    }
  }
  summary.details["tr_extracted"] = static_cast<double>(count.wanted);
  if (!plan.tasks.empty()) {
    const auto balance = gather_balance(report, chunks_of(report, plan, comm.rank()), comm);
    if (comm.root()) log_balance(balance);
    summary.details["balance"] = to_json(balance);
  }
}

}  // namespace

Summary extract(const Config& config, const parallel::Communicator& comm) {
  TrCount count;
  return timed_stage(
      "extract", comm, [&](Summary& summary) { extract_missing(config, comm, summary, count); },
      [&](const Summary&) {
        return fmt::format("{} of {} TRs that were missing are extracted", count.done, count.wanted);
      });
}

}  // namespace cinecortex::stages
