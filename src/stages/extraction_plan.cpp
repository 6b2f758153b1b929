#include "extraction_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "cinecortex/core/digest.hpp"
#include "cinecortex/core/log.hpp"
#include "cinecortex/dataset/movie.hpp"
#include "cinecortex/dataset/transcript.hpp"
#include "cinecortex/models/runtime.hpp"
#include "existing_features.hpp"

namespace cinecortex::stages {
namespace {

using models::Needs;

bool same_model(const models::ModelConfig& a, const models::ModelConfig& b) {
  return a.model == b.model && a.weights == b.weights && a.options == b.options;
}

/// Durations, transcript length and the fingerprints of the stimulus files of one run.
struct Probe {
  models::RunInfo info;
  std::string movie_digest, transcript_digest;
};

Probe probe(const dataset::Run& run, Needs needs, double tr_s) {
  Probe found;
  found.info.run = run.id.task;
  found.info.tr_s = tr_s;
  const bool watches = has(needs, Needs::frames) || has(needs, Needs::audio);
  if (watches && !run.movie.empty()) {
    const auto movie = dataset::Movie(run.movie).info();
    found.info.video_s = movie.video_s;
    found.info.audio_s = movie.audio_s;
    found.info.frame_rate_hz = movie.frame_rate_hz;
    found.movie_digest = file_digest(run.movie);
  }
  if (has(needs, Needs::text) && !run.transcript.empty()) {
    found.info.transcript_rows = static_cast<Index>(dataset::read_transcript(run.transcript).size());
    found.transcript_digest = file_digest(run.transcript);
  }
  return found;
}

nlohmann::json to_json(const Probe& p) {
  return {p.info.run,     p.info.tr_s,          p.info.video_s,
          p.info.audio_s, p.info.frame_rate_hz, p.info.transcript_rows,
          p.movie_digest, p.transcript_digest};
}

Probe from_json(const nlohmann::json& j) {
  return {{.run = j[0].get<std::string>(),
           .tr_s = j[1].get<double>(),
           .video_s = j[2].get<double>(),
           .audio_s = j[3].get<double>(),
           .frame_rate_hz = j[4].get<double>(),
           .transcript_rows = j[5].get<Index>()},
          j[6].get<std::string>(),
          j[7].get<std::string>()};
}

/// Every run's probe, on every rank; the files are dealt to the ranks.
std::vector<Probe> probe_all(const std::vector<const dataset::Run*>& runs, Needs needs, double tr_s,
                             const parallel::Communicator& comm) {
  const std::string mine = parallel::agree(comm, [&] {
    nlohmann::json list = nlohmann::json::array();
    for (std::size_t i = static_cast<std::size_t>(comm.rank()); i < runs.size();
         i += static_cast<std::size_t>(comm.size())) {
      list.push_back({i, to_json(probe(*runs[i], needs, tr_s))});
    }
    return list.dump();
  });
  std::vector<Probe> probes(runs.size());
  for (const auto& part : comm.gather(mine)) {
    for (const auto& entry : nlohmann::json::parse(part))
      probes[entry[0].get<std::size_t>()] = from_json(entry[1]);
  }
  return probes;
}

/// Rows of a group in a run, 0 where the run has no words for it. @throws InputError where a movie or sound is missing.
Index rows_of(const ExtractorGroup& group, const dataset::Run& run, const models::RunInfo& info) {
  const auto needs = group.extractor->needs();
  const auto& space = group.outputs.front().space->name;
  const bool watches = has(needs, Needs::frames) || has(needs, Needs::audio);
  if (watches && run.movie.empty()) {
    throw InputError(fmt::format("{}: space {} needs the movie, but the data set has none for this run",
                                 run.id.qualified(), space));
  }
  if (has(needs, Needs::frames) && info.video_s <= 0) {
    throw InputError(fmt::format("{}: space {} needs frames, but {} has no video track", run.id.qualified(),
                                 space, run.movie.string()));
  }
  if (has(needs, Needs::audio) && info.audio_s <= 0) {
    throw InputError(fmt::format("{}: space {} needs sound, but {} has no audio track", run.id.qualified(),
                                 space, run.movie.string()));
  }
  if (has(needs, Needs::text) && run.transcript.empty()) return 0;
  return group.extractor->rows(info);
}

void check_lengths(const dataset::Run& run, const ExtractorGroup& group, Index rows, Index tolerance) {
  if (rows == 0) return;
  const auto& space = *group.outputs.front().space;
  const auto& stimulus =
      run.movie.empty() || group.extractor->needs() == Needs::text ? run.transcript : run.movie;
  for (const auto& [subject, sources] : run.fmri) {
    for (const auto& source : sources) {
      if (std::abs(rows - source.rows) <= tolerance) continue;
      throw InputError(fmt::format(
          "{} gives {} TRs for space {}, but {} in {} has {}; they may differ by {} "
          "(data.tolerance_tr)",
          stimulus.string(), rows, space.name, source.dataset, source.file.string(), source.rows, tolerance));
    }
  }
}

/// Whether a run has features in every space, or in any.
bool complete(const RunWork& work) {
  return std::all_of(work.groups.begin(), work.groups.end(),
                     [](const GroupRun& part) { return part.rows > 0; });
}
bool empty(const RunWork& work) {
  return std::all_of(work.groups.begin(), work.groups.end(),
                     [](const GroupRun& part) { return part.rows == 0; });
}

/// What later stages would stumble over after hours: a subject or a space without runs to fit, a test run that no
/// space can predict.
void check_roles(const std::vector<RunWork>& work, const std::vector<ExtractorGroup>& groups,
                 const Context& context) {
  const auto in = [](const std::vector<std::string>& role, const RunWork& run) {
    return std::find(role.begin(), role.end(), run.run->id.task) != role.end();
  };
  for (const auto& run : work) {
    if (in(context.split.test, run) && empty(run)) {
      throw InputError(fmt::format("{}: no space has features for this test run; leave it out of split.test",
                                   run.run->id.qualified()));
    }
  }
  for (const int subject : context.catalogue.subjects) {
    const auto name = dataset::layout::subject_name(subject);
    const auto fits = [&](const RunWork& run) { return run.run->fmri.contains(subject) && complete(run); };
    if (std::none_of(work.begin(), work.end(),
                     [&](const auto& r) { return in(context.split.stack, r) && fits(r); })) {
      throw InputError(
          fmt::format("{}: no stack run has fMRI and the features of every space (split.stack)", name));
    }
    for (std::size_t g = 0; g < groups.size(); ++g) {
      const auto usable = [&](const RunWork& run) {
        return in(context.split.base, run) && run.run->fmri.contains(subject) && run.groups[g].rows > 0;
      };
      if (std::none_of(work.begin(), work.end(), usable)) {
        throw InputError(fmt::format("{}: no base run has fMRI and features of space {} (split.base)", name,
                                     groups[g].outputs.front().space->name));
      }
    }
  }
}

std::string feature_digest(const ExtractorGroup& group, std::size_t output, const Probe& probe,
                           const DataConfig& data) {
  const auto needs = group.extractor->needs();
  Digest digest;
  digest.add(feature_settings_digest(*group.outputs[output].space, data)).add(group.extractor->identity());
  digest.add(has(needs, Needs::frames) || has(needs, Needs::audio) ? probe.movie_digest : "");
  digest.add(has(needs, Needs::text) ? probe.transcript_digest : "");
  return digest.hex();
}

bool all_current(const ExtractorGroup& group, const GroupRun& part, const std::string& run,
                 const Outputs& outputs) {
  for (std::size_t i = 0; i < group.outputs.size(); ++i) {
    if (stored_digest(outputs.features(group.outputs[i].space->name, run)) != part.digests[i]) return false;
  }
  return true;
}

bool chunk_there(const ExtractionPlan& plan, const RunWork& work, Range rows, const Outputs& outputs) {
  for (const auto& part : work.groups) {
    if (part.current || rows.begin >= part.rows) continue;
    const auto& group = plan.groups[part.group];
    for (std::size_t i = 0; i < group.outputs.size(); ++i) {
      if (!std::filesystem::exists(
              outputs.chunk(group.outputs[i].space->name, work.run->id.task, part.digests[i], rows.begin))) {
        return false;
      }
    }
  }
  return true;
}

/// Chunks still to do, longest runs first; a run whose chunks are all there is only joined.
std::vector<ExtractionTask> list_tasks(const ExtractionPlan& plan, Index chunk_tr, const Outputs& outputs) {
  std::vector<std::pair<Index, ExtractionTask>> weighted;
  for (std::size_t w = 0; w < plan.work.size(); ++w) {
    const auto& work = plan.work[w];
    Index longest = 0;
    bool pending = false;
    for (const auto& part : work.groups) {
      if (part.current) continue;
      pending = true;
      longest = std::max(longest, part.rows);
    }
    if (!pending) continue;
    const std::size_t before = weighted.size();
    for (Index begin = 0; begin < longest; begin += chunk_tr) {
      const Range rows{begin, std::min(begin + chunk_tr, longest)};
      if (!chunk_there(plan, work, rows, outputs)) weighted.push_back({longest, {w, rows}});
    }
    if (weighted.size() == before) weighted.push_back({longest, {w, {}}});
  }
  std::stable_sort(weighted.begin(), weighted.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<ExtractionTask> tasks;
  for (auto& [weight, task] : weighted) tasks.push_back(task);
  return tasks;
}

}  // namespace

void remove_chunks(const Config& config, const Outputs& outputs) {
  for (const auto& space : config.experiment.spaces) {
    std::error_code ignored;  // a leftover folder harms nobody
    std::filesystem::remove_all(outputs.features_folder(space.name) / "chunks", ignored);
  }
}

std::vector<ExtractorGroup> make_groups(const std::vector<SpaceConfig>& spaces, const Runtime& runtime) {
  std::vector<ExtractorGroup> groups;
  for (const auto& space : spaces) {
    auto group = std::find_if(groups.begin(), groups.end(), [&](const ExtractorGroup& g) {
      return same_model(g.outputs.front().space->model, space.model);
    });
    if (group == groups.end()) {
      auto model = space.model;
      model.device = runtime.device;
      groups.push_back({models::make_extractor(model), {}});
      group = groups.end() - 1;
    }
    const auto& readings = group->extractor->readings();
    const auto reading = std::find_if(readings.begin(), readings.end(),
                                      [&](const auto& r) { return r.name == space.reading; });
    if (reading == readings.end()) {
      std::string allowed;
      for (const auto& r : readings) allowed += (allowed.empty() ? "" : ", ") + ("\"" + r.name + "\"");
      throw InputError(fmt::format("space {}: model {} has no reading \"{}\"; it has {}", space.name,
                                   space.model.model, space.reading, allowed));
    }
    group->outputs.push_back({&space, static_cast<std::size_t>(reading - readings.begin())});
  }
  return groups;
}

ExtractionPlan plan_extraction(const Config& config, const Context& context,
                               const parallel::Communicator& comm) {
  const auto& data = config.experiment.data;
  if (models::statistics_only()) {
    ExtractionPlan plan = plan_of_existing_features(config, context, comm);
    for (const auto& work : plan.work) {
      for (const auto& part : work.groups) {
        check_lengths(*work.run, plan.groups[part.group], part.rows, data.tolerance_tr);
      }
    }
    check_roles(plan.work, plan.groups, context);
    return plan;
  }
  ExtractionPlan plan;
  plan.groups = parallel::agree(comm, [&] { return make_groups(config.experiment.spaces, config.runtime); });
  Needs needs = Needs::none;
  for (const auto& group : plan.groups) needs = needs | group.extractor->needs();
  const auto probes = probe_all(context.runs, needs, data.tr_s, comm);

  for (std::size_t r = 0; r < context.runs.size(); ++r) {
    RunWork work{context.runs[r], probes[r].info, {}, probes[r].movie_digest, probes[r].transcript_digest};
    for (std::size_t g = 0; g < plan.groups.size(); ++g) {
      const auto& group = plan.groups[g];
      GroupRun part{g, rows_of(group, *work.run, work.info), {}, false};
      check_lengths(*work.run, group, part.rows, data.tolerance_tr);
      for (std::size_t i = 0; i < group.outputs.size(); ++i) {
        part.digests.push_back(feature_digest(group, i, probes[r], data));
      }
      work.groups.push_back(std::move(part));
    }
    plan.work.push_back(std::move(work));
  }
  check_roles(plan.work, plan.groups, context);

  // What is there already is looked up once, by rank 0: file systems show files at different times to different nodes.
  const std::string there = from_root(comm, [&] {
    if (config.runtime.force) remove_chunks(config, context.outputs);
    nlohmann::json current = nlohmann::json::array();
    for (auto& work : plan.work) {
      for (auto& part : work.groups) {
        part.current = !config.runtime.force &&
                       all_current(plan.groups[part.group], part, work.run->id.task, context.outputs);
        current.push_back(part.current);
      }
    }
    nlohmann::json tasks = nlohmann::json::array();
    for (const auto& task : list_tasks(plan, config.runtime.chunk_tr, context.outputs)) {
      tasks.push_back({task.work, task.rows.begin, task.rows.end});
    }
    return nlohmann::json{{"current", current}, {"tasks", tasks}}.dump();
  });
  const auto json = nlohmann::json::parse(there);
  std::size_t i = 0;
  for (auto& work : plan.work) {
    for (auto& part : work.groups) {
      part.current = json["current"][i++].get<bool>();
      const auto files = static_cast<Index>(part.digests.size());
      (part.current ? plan.current_files : plan.missing_files) += files;
    }
  }
  for (const auto& task : json["tasks"]) {
    plan.tasks.push_back({task[0].get<std::size_t>(), {task[1].get<Index>(), task[2].get<Index>()}});
  }
  return plan;
}

FeatureTable planned_features(const ExtractionPlan& plan) {
  FeatureTable table;
  for (const auto& work : plan.work) {
    for (const auto& part : work.groups) {
      const auto& group = plan.groups[part.group];
      for (std::size_t i = 0; i < group.outputs.size(); ++i) {
        const auto& output = group.outputs[i];
        table[output.space->name][work.run->id.task] = {
            part.rows, group.extractor->readings()[output.reading].width, part.digests[i]};
      }
    }
  }
  return table;
}

}  // namespace cinecortex::stages
