#include "plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "random.hpp"

namespace cinecortex::stages::synthetic {
namespace {

using dataset::Collection;

constexpr Index seasons = 7, withheld_season = 7;
constexpr Index movie_jitter_tr = 3;  ///< a run is this much longer or shorter than asked for
constexpr Index scan_jitter_tr = 2;   ///< a scan is this much longer or shorter than its movie
constexpr Index runs_per_session = 6;

struct MovieKind {
  Collection collection;
  const char* name;
  bool twice;
  bool speech;
};
constexpr MovieKind movies[] = {
    {Collection::movie10, "bourne", false, true}, {Collection::movie10, "figures", true, true},
    {Collection::movie10, "life", true, true},    {Collection::movie10, "wolf", false, true},
    {Collection::ood, "chaplin", false, false},   {Collection::ood, "planetearth", false, true},
};

std::vector<PlannedRun> stimuli(const SynthConfig& config) {
  std::vector<PlannedRun> runs;
  for (Index season = 1; season <= seasons; ++season) {
    for (Index i = 0; i < config.runs_per_season; ++i) {
      PlannedRun run;
      run.id = {.collection = Collection::friends,
                .movie = "friends",
                .season = season,
                .task = fmt::format("s{:02}e{:02}{}", season, i / 2 + 1, i % 2 == 0 ? 'a' : 'b')};
      run.withheld = season == withheld_season;
      runs.push_back(std::move(run));
    }
  }
  for (const auto& kind : movies) {
    for (Index i = 1; i <= config.runs_per_movie; ++i) {
      PlannedRun run;
      const bool ood = kind.collection == Collection::ood;
      run.id = {.collection = kind.collection,
                .movie = kind.name,
                .season = 0,
                .task = ood ? fmt::format("{}{}", kind.name, i) : fmt::format("{}{:02}", kind.name, i)};
      run.speech = kind.speech;
      run.withheld = ood;
      runs.push_back(std::move(run));
    }
  }
  return runs;
}

bool shown_twice(const dataset::RunId& id) {
  return std::any_of(std::begin(movies), std::end(movies),
                     [&](const MovieKind& kind) { return kind.twice && id.movie == kind.name; });
}

/// The runs of a season by position, so that a gap never empties a season.
bool lacks(int subject, const dataset::RunId& id, Index position, Index runs_per_season) {
  if (id.collection != Collection::friends) return false;
  if (subject == 2 && id.season == 5) return runs_per_season > 1 && position == runs_per_season - 1;
  if (subject == 5 && id.season == 4) return position < std::min<Index>(2, runs_per_season - 1);
  return false;
}

Index jittered(Index rows, Index jitter, Random& random) {
  return rows - jitter + random.integer(2 * jitter + 1);
}

}  // namespace

std::vector<PlannedRun> plan_runs(const SynthConfig& config) {
  auto runs = stimuli(config);
  std::map<int, Index> scans;  // of each subject so far, for the session numbers
  std::map<std::string, Index> position_in_group;
  for (auto& run : runs) {
    Random random(config.seed, "plan/" + run.id.task);
    run.rows = jittered(config.run_tr, movie_jitter_tr, random);
    run.duration_s = (static_cast<double>(run.rows) + random.uniform(-0.4, 0.4)) * config.tr_s;
    const Index position = position_in_group[run.id.group()]++;
    const int repeats = shown_twice(run.id) ? 2 : 1;
    for (const int subject : config.subjects) {
      if (lacks(subject, run.id, position, config.runs_per_season)) continue;
      Random scan(config.seed, fmt::format("scan/{}/{}", run.id.task, subject));
      for (int repeat = 1; repeat <= repeats; ++repeat) {
        Presentation shown{.subject = subject,
                           .repeat = repeats == 1 ? 0 : repeat,
                           .rows = jittered(run.rows, scan_jitter_tr, scan),
                           .dataset = fmt::format("ses-{:03}_task-{}",
                                                  scans[subject]++ / runs_per_session + 1, run.id.task)};
        if (repeats > 1) shown.dataset += fmt::format("_run-{}", repeat);
        run.presentations.push_back(std::move(shown));
      }
    }
  }
  return runs;
}

Index longest_rows(const PlannedRun& run) {
  Index rows = run.rows;
  for (const auto& shown : run.presentations) rows = std::max(rows, shown.rows);
  return rows;
}

}  // namespace cinecortex::stages::synthetic
