#include "cinecortex/stages/synth.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>

#include "atlas.hpp"
#include "cinecortex/core/interrupt.hpp"
#include "cinecortex/core/progress.hpp"
#include "cinecortex/dataset/catalogue.hpp"
#include "cinecortex/io/pickle.hpp"
#include "cinecortex/parallel/agree.hpp"
#include "cinecortex/parallel/work_queue.hpp"
#include "files.hpp"
#include "settings.hpp"
#include "speech.hpp"
#include "stimulus.hpp"
#include "timed_stage.hpp"

namespace cinecortex::stages {
namespace {

using namespace synthetic;
using dataset::Collection;
namespace fs = std::filesystem;

/// Outputs made and kept; equal on every rank.
struct Tally {
  Index done = 0, kept = 0;
  std::vector<fs::path> outputs;
};

/// Looked up by rank 0, so that all ranks go the same way.   Collective: over comm.
bool is_there(const fs::path& file, const parallel::Communicator& comm) {
  return comm.max(std::int64_t{comm.root() && fs::exists(file)}) > 0;
}

void count(bool kept, const fs::path& file, Tally& tally) {
  ++(kept ? tally.kept : tally.done);
  tally.outputs.push_back(file);
}

/// Movies and transcripts: the long part.   Collective: over comm.
void make_stimuli(const SynthConfig& config, const std::vector<PlannedRun>& runs,
                  const parallel::Communicator& comm, Tally& tally) {
  const auto missing = parallel::agree(comm, [&] {
    std::vector<std::int64_t> list;
    for (std::size_t i = 0; comm.root() && i < runs.size(); ++i) {
      if (!stimulus_is_there(config, runs[i])) list.push_back(static_cast<std::int64_t>(i));
    }
    return list;
  });
  auto tasks = comm.gather(std::span<const std::int64_t>(missing));
  const auto run_of = [&](Index task) -> const PlannedRun& {
    return runs[static_cast<std::size_t>(tasks[static_cast<std::size_t>(task)])];
  };
  std::stable_sort(tasks.begin(), tasks.end(), [&](std::int64_t a, std::int64_t b) {
    return runs[static_cast<std::size_t>(a)].rows > runs[static_cast<std::size_t>(b)].rows;
  });
  const auto total_tr = std::transform_reduce(
      tasks.begin(), tasks.end(), 0.0, std::plus<>(),
      [&](std::int64_t run) { return static_cast<double>(runs[static_cast<std::size_t>(run)].rows); });
  if (!tasks.empty()) {
    const auto soundtrack = parallel::agree(comm, [&] { return Soundtrack(config.seed); });
    Progress progress("movies", total_tr, "TR", comm.root());
    parallel::run_queue(
        comm, static_cast<Index>(tasks.size()),
        [&](Index task) { make_stimulus(config, run_of(task), soundtrack); },
        [&](Index task) -> std::optional<Index> {
          progress.add(static_cast<double>(run_of(task).rows));
          return std::nullopt;
        });
  }
  tally.done += static_cast<Index>(tasks.size());
  tally.kept += static_cast<Index>(runs.size() - tasks.size());
}

/// Every run's latents on every rank, each read by one.   Collective: over comm.
std::vector<MatrixD> gather_latents(const SynthConfig& config, const std::vector<PlannedRun>& runs,
                                    const parallel::Communicator& comm) {
  const Range mine = partition(static_cast<Index>(runs.size()), comm.size(), comm.rank());
  const auto local = parallel::agree(comm, [&] {
    std::vector<double> values;
    for (Index i = mine.begin; i < mine.end; ++i) {
      const MatrixD raw = raw_latents(config, runs[static_cast<std::size_t>(i)]);
      values.insert(values.end(), raw.data(), raw.data() + raw.size());
    }
    return values;
  });
  const auto all = comm.gather(std::span<const double>(local));
  std::vector<MatrixD> raw;
  const double* next = all.data();
  for (const auto& run : runs) {
    raw.emplace_back(Eigen::Map<const MatrixD>(next, run.rows, latent_count));
    next += run.rows * latent_count;
  }
  return raw;
}

void make_fmri(const SynthConfig& config, const std::vector<PlannedRun>& runs, const Drive& drive,
               const parallel::Communicator& comm, Tally& tally) {
  Progress progress("fMRI", 2.0 * static_cast<double>(config.subjects.size()) + 1, "files", comm.root());
  for (const int subject : config.subjects) {
    for (const auto collection : {Collection::friends, Collection::movie10}) {
      parallel::agree(comm, [] { interrupt::check(); });
      const auto file = dataset::layout::fmri_file(config.root, subject, collection, config.parcels);
      const bool kept = is_there(file, comm);
      if (!kept) write_fmri(config, runs, subject, collection, drive, comm);
      count(kept, file, tally);
      progress.add(1);
    }
  }
  // Last of all: where there is a truth, the data set is whole.
  const auto truth = config.root / "truth.h5";
  const bool kept = is_there(truth, comm);
  if (!kept) write_truth(config, runs, drive, comm);
  count(kept, truth, tally);
  progress.add(1);
}

std::vector<std::pair<std::string, Index>> withheld_samples(const std::vector<PlannedRun>& runs, int subject,
                                                            Collection collection) {
  std::vector<std::pair<std::string, Index>> samples;
  for (const auto& run : runs) {
    if (!run.withheld || run.id.collection != collection) continue;
    for (const auto& shown : run.presentations) {
      if (shown.subject == subject) samples.emplace_back(run.id.task, shown.rows);
    }
  }
  return samples;
}

/// Atlases and sample numbers, by rank 0.   Collective: over comm.
void make_small_files(const SynthConfig& config, const std::vector<PlannedRun>& runs,
                      const parallel::Communicator& comm) {
  parallel::agree(comm, [&] {
    if (!comm.root()) return;
    const auto atlas = make_atlas(config.seed, config.parcels);
    for (const int subject : config.subjects) {
      const auto file = dataset::layout::atlas(config.root, subject, config.parcels);
      make_folder(file.parent_path());
      if (!fs::exists(file)) io::write_nifti(file, atlas, true);
      for (const auto& [part, collection] :
           {std::pair{"friends-s7", Collection::friends}, {"ood", Collection::ood}}) {
        const auto numbers = dataset::layout::sample_numbers(config.root, subject, part);
        make_folder(numbers.parent_path());
        if (!fs::exists(numbers))
          io::write_pickled_counts(numbers, withheld_samples(runs, subject, collection));
      }
    }
  });
}

double bytes_below(const fs::path& root) {
  double bytes = 0;
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    if (entry.is_regular_file()) bytes += static_cast<double>(entry.file_size());
  }
  return bytes;
}

void describe(const SynthConfig& config, const std::vector<PlannedRun>& runs, double bytes,
              Summary& summary) {
  const double movie_s = std::transform_reduce(runs.begin(), runs.end(), 0.0, std::plus<>(),
                                               [](const PlannedRun& run) { return run.duration_s; });
  const auto withheld =
      std::count_if(runs.begin(), runs.end(), [](const PlannedRun& run) { return run.withheld; });
  Index scans = 0;
  for (const auto& run : runs) scans += static_cast<Index>(run.presentations.size());
  summary.text = fmt::format(
      "A made-up data set in the challenge's layout: {}\n"
      "  {} movies ({} of picture, sound and speech), {}×{} at {:g} frames a second\n"
      "  {} subjects ({}), {} parcels, {} scans; the responses to {} movies are withheld, as in the "
      "challenge\n"
      "  {} in all; truth.h5 holds what was planted: weights, features, noise ceiling, withheld responses\n",
      config.root.string(), runs.size(), format_duration(movie_s), config.width, config.height,
      config.frame_rate_hz, config.subjects.size(), fmt::join(config.subjects, ", "), config.parcels, scans,
      withheld, format_bytes(bytes));
  summary.details = {{"root", config.root.string()}, {"movies", runs.size()},
                     {"movie_s", movie_s},           {"scans", scans},
                     {"withheld_movies", withheld},  {"bytes", bytes}};
}

void make_data_set(const SynthConfig& config, const parallel::Communicator& comm, Summary& summary) {
  const auto runs = parallel::agree(comm, [&] {
    check(config);
    if (comm.root()) {
      if (!can_speak()) phrase_book();  // says what is missing, before a folder is made
      claim_folder(config);
    }
    return plan_runs(config);
  });
  Tally tally;
  make_stimuli(config, runs, comm, tally);
  make_small_files(config, runs, comm);
  const auto raw = gather_latents(config, runs, comm);
  make_fmri(config, runs, make_drive(runs, raw, config.tr_s), comm, tally);

  summary.done = tally.done;
  summary.kept = tally.kept;
  summary.outputs = std::move(tally.outputs);
  const double bytes =
      comm.max(parallel::agree(comm, [&] { return comm.root() ? bytes_below(config.root) : 0.0; }));
  describe(config, runs, bytes, summary);
}

}  // namespace

Summary synth(const SynthConfig& config, const parallel::Communicator& comm) {
  return timed_stage(
      "synth", comm, [&](Summary& summary) { make_data_set(config, comm, summary); },
      [](const Summary&) { return std::string("finished movies and fMRI files are kept"); });
}

}  // namespace cinecortex::stages
