#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>

#include "cinecortex/core/interrupt.hpp"
#include "cinecortex/core/log.hpp"
#include "cinecortex/core/progress.hpp"
#include "cinecortex/io/text_file.hpp"
#include "cinecortex/stages/stages.hpp"
#include "kept_statistics.hpp"
#include "sweep_plot.hpp"
#include "sweep_table.hpp"
#include "timed_stage.hpp"

namespace cinecortex::stages {
namespace {

/// A space of the sweep, with its components.
struct SweptSpace {
  const SpaceConfig* space = nullptr;
  std::unique_ptr<ScoreReader> scores;
  std::vector<SweepCase> cases;
};

/// A space and a subject: their statistics are accumulated once.
struct Unit {
  const SweptSpace* swept = nullptr;
  int subject = 0;
  std::string name() const {
    return fmt::format("space {}, {}", swept->space->name, dataset::layout::subject_name(subject));
  }
};

/// What all parts of a sweep have in common.
class Sweep {
 public:
  Sweep(const Config& config, const parallel::Communicator& comm)
      : config_(config),
        comm_(comm),
        wanted_(wanted_sweep(config.experiment)),
        context_(make_context(config, comm)),
        features_(load_feature_table(config, context_, comm)),
        digests_(config, context_, features_) {
    for (const auto& space : config.experiment.spaces) {
      if (!wanted_.takes(space.name)) continue;
      require_current(context_.outputs.pca(space.name), digests_.pca(space), "pca", comm);
      spaces_.push_back(parallel::agree(comm, [&] { return open(space); }));
    }
    for (const auto& swept : spaces_) {
      for (const int subject : context_.catalogue.subjects) units_.push_back({&swept, subject});
    }
    digest_ = digests_.sweep();
  }

  const Outputs& outputs() const { return context_.outputs; }
  const std::string& digest() const { return digest_; }
  Index units() const { return static_cast<Index>(units_.size()); }

  std::vector<SweepShare> share(SweepPart part) const {
    std::vector<const std::vector<SweepCase>*> cases;
    for (const auto& unit : units_) cases.push_back(&unit.swept->cases);
    return sweep_share(cases, part);
  }

  /// Computes the cases of a share.   Collective: over comm.
  std::vector<SweepRow> compute(const SweepShare& share, StatisticsUse& use) const {
    const Unit& unit = units_[share.unit];
    return naming_failures(unit.name(), [&] { return compute(unit, share.cases, use); });
  }

  /// Rows in the order of the experiment: space, subject, configuration.
  /// @throws InputError if one is missing, which a part of another division would be the reason for.
  void sort_and_check(std::vector<SweepRow>& rows) const {
    const auto position = [&](const SweepRow& row) {
      const auto found = std::find_if(units_.begin(), units_.end(), [&](const Unit& unit) {
        return unit.swept->space->name == row.space &&
               dataset::layout::subject_name(unit.subject) == row.subject;
      });
      return std::pair(found - units_.begin(), row.number);
    };
    std::sort(rows.begin(), rows.end(),
              [&](const SweepRow& a, const SweepRow& b) { return position(a) < position(b); });
    std::size_t expected = 0;
    for (const auto& unit : units_) expected += unit.swept->cases.size();
    if (rows.size() != expected) {
      throw Error(fmt::format("internal: the sweep has {} rows, but {} are expected", rows.size(), expected));
    }
  }

 private:
  SweptSpace open(const SpaceConfig& space) const {
    const auto file = context_.outputs.pca(space.name);
    SweptSpace swept{&space, std::make_unique<ScoreReader>(file, features_, space.name), {}};
    try {
      swept.cases = sweep_cases(wanted_, space.design, swept.scores->components(), "space " + space.name);
    } catch (const InputError& e) {
      throw InputError(fmt::format(
          "{} in {}; a sweep uses the leading components of one PCA: raise pca.components of the space, "
          "or lower [sweep] components",
          e.what(), file.string()));
    }
    return swept;
  }

  std::vector<SweepRow> compute(const Unit& unit, const std::vector<std::size_t>& numbers,
                                StatisticsUse& use) const {
    const auto& data = config_.experiment.data;
    const auto& space = *unit.swept->space;
    auto shown = presentations(
        with_features(context_.with_fmri(context_.split.base, unit.subject), features_, space.name),
        unit.subject, data, features_);
    std::erase_if(shown, [&](const Presentation& p) { return trimmed(p.rows, data).empty(); });
    if (shown.empty()) throw InputError("no base run has both features and fMRI (split.base)");
    require_reach(unit.swept->cases, extents(shown, space.name, features_, data), "[sweep]");
    const SweepGroups groups = group(shown);

    // The whole unit's delays and components, whatever part of it is wanted: so parts equal the whole to the bit.
    const auto& cases = unit.swept->cases;
    auto runs = statistics_runs(shown, config_.experiment);
    auto shape = shape_of(unit, shown);
    shape.groups = groups.count;
    if (comm_.root()) {
      warn_of_memory(unit.name(), encoding::sweep_bytes(sweep_points(cases), shape),
                     config_.runtime.memory_bytes);
    }
    shape.groups = runs.groups.count;
    const bool roomy =
        comm_.min(std::int64_t{fits_memory(encoding::sweep_bytes(sweep_points(cases), shape))}) == 1;
    // Parts of a sweep may run side by side, and would write the same file.
    const bool alone = config_.runtime.sweep_part.parts == 0;
    KeptStatistics statistics(
        {.space = space,
         .design = widest_design(cases),
         .components = most_components(cases),
         .subjects = {unit.subject},
         .fit_runs = runs.names,
         .may_write = alone && (roomy || config_.experiment.statistics == StatisticsPolicy::keep)},
        std::move(runs), *unit.swept->scores, config_, context_, digests_, comm_);
    std::vector<SweepCase> tried;
    for (const std::size_t number : numbers) tried.push_back(cases[number]);
    const auto& ridge = config_.experiment.ridge;
    Progress progress(fmt::format("sweep {}", unit.name()), static_cast<double>(tried.size()),
                      "configuration", config_.runtime.progress && comm_.root());
    const auto sums = [&](bool single) { return statistics.of_folds(groups.of, groups.count, single); };
    auto scores =
        encoding::sweep(sums, true, sweep_points(tried),
                        {.alphas = ridge.alphas, .measure = ridge.measure, .per_target = ridge.per_target},
                        comm_, [&](Index done) { progress.set(static_cast<double>(done)); });
    use.add(statistics);
    std::vector<SweepRow> rows;
    for (std::size_t i = 0; i < tried.size(); ++i) {
      SweepRow row{.space = space.name,
                   .subject = dataset::layout::subject_name(unit.subject),
                   .number = static_cast<Index>(numbers[i]),
                   .tried = tried[i],
                   .folds = groups.count,
                   .folds_by = groups.by};
      set_score(row, std::move(scores[i]), ridge.alphas, comm_);
      rows.push_back(std::move(row));
    }
    return rows;
  }

  /// But for the groups.
  encoding::SweepShape shape_of(const Unit& unit, const std::vector<Presentation>& shown) const {
    encoding::SweepShape shape{.targets = context_.catalogue.targets.at(unit.subject),
                               .alphas = std::ssize(config_.experiment.ridge.alphas),
                               .runs = std::ssize(shown),
                               .ranks = comm_.size()};
    const auto& rows = features_.at(unit.swept->space->name);
    for (const auto& each : shown) shape.run_rows = std::max(shape.run_rows, rows.at(each.run->id.task).rows);
    return shape;
  }

  bool fits_memory(double bytes) const {
    const double allowed = config_.runtime.memory_bytes;
    return allowed <= 0 || bytes <= allowed;
  }

  SweepGroups group(const std::vector<Presentation>& shown) const {
    std::vector<std::string> runs, seasons;
    for (const auto& presentation : shown) {
      runs.push_back(presentation.run->id.task);
      seasons.push_back(presentation.run->id.group());
    }
    return sweep_groups(wanted_.folds, runs, seasons);
  }

  const Config& config_;
  const parallel::Communicator& comm_;
  const SweepConfig& wanted_;
  Context context_;
  FeatureTable features_;
  Digests digests_;
  std::vector<SweptSpace> spaces_;
  std::vector<Unit> units_;
  std::string digest_;
};

/// Makes the files of parts, and keeps those that are there.
class PartMaker {
 public:
  PartMaker(const Sweep& sweep, const Config& config, bool force, const parallel::Communicator& comm,
            Index& finished)
      : sweep_(sweep), config_(config), force_(force), comm_(comm), finished_(finished) {}

  /// The rows of a part; a part that holds several spaces or subjects keeps each as soon as it is finished.
  /// Collective: over comm.
  std::vector<SweepRow> part(SweepPart part, StatisticsUse& use, Summary& summary) {
    const auto file = sweep_.outputs().sweep_part(part.part, part.parts);
    if (const auto rows = kept(file)) {
      ++summary.kept;
      return *rows;
    }
    const auto shares = sweep_.share(part);
    std::vector<SweepRow> rows;
    for (std::size_t i = 0; i < shares.size(); ++i) {
      const auto of_share = shares.size() == 1 ? compute(shares[i], use) : share(part, i, shares[i], use);
      rows.insert(rows.end(), of_share.begin(), of_share.end());
    }
    write(file, rows);
    parallel::agree(comm_, [&] {
      if (!comm_.root()) return;
      io::write_text(std::filesystem::path(file).replace_extension(".csv"), sweep_csv(rows));
      for (std::size_t i = 0; i < shares.size(); ++i) std::filesystem::remove(share_file(part, i));
    });
    ++summary.done;
    return rows;
  }

 private:
  std::filesystem::path share_file(SweepPart part, std::size_t number) const {
    return sweep_.outputs().sweep_share(part.part, part.parts, static_cast<Index>(number) + 1);
  }

  std::vector<SweepRow> share(SweepPart part, std::size_t number, const SweepShare& share,
                              StatisticsUse& use) {
    const auto file = share_file(part, number);
    if (const auto rows = kept(file)) return *rows;
    auto rows = compute(share, use);
    write(file, rows);
    return rows;
  }

  std::vector<SweepRow> compute(const SweepShare& share, StatisticsUse& use) {
    parallel::agree(comm_, [] { interrupt::check(); });
    auto rows = sweep_.compute(share, use);
    finished_ += static_cast<Index>(rows.size());
    return rows;
  }

  std::optional<std::vector<SweepRow>> kept(const std::filesystem::path& file) {
    if (force_ || !is_current(file, sweep_.digest(), comm_)) return std::nullopt;
    auto rows = parallel::agree(comm_, [&] { return read_sweep(file, comm_); });
    finished_ += static_cast<Index>(rows.size());
    return rows;
  }

  void write(const std::filesystem::path& file, const std::vector<SweepRow>& rows) const {
    write_sweep(file, rows, config_.experiment.ridge.alphas, {{digest_attribute, sweep_.digest()}}, comm_);
  }

  const Sweep& sweep_;
  const Config& config_;
  bool force_;
  const parallel::Communicator& comm_;
  Index& finished_;
};

/// @throws InputError naming the parts that are missing or of other settings.   Collective: over comm.
void require_parts(const Sweep& sweep, Index parts, const parallel::Communicator& comm) {
  parallel::agree(comm, [&] {
    if (!comm.root()) return;
    std::vector<std::string> missing, other;
    for (Index part = 1; part <= parts; ++part) {
      const auto there = stored_digest(sweep.outputs().sweep_part(part, parts));
      if (there != sweep.digest())
        (there.empty() ? missing : other).push_back(fmt::format("{}/{}", part, parts));
    }
    if (missing.empty() && other.empty()) return;
    std::string what;
    if (!missing.empty()) what = fmt::format("not there yet: {}", fmt::join(missing, ", "));
    if (!other.empty()) {
      what += fmt::format("{}made from other inputs or settings: {}", what.empty() ? "" : "; ",
                          fmt::join(other, ", "));
    }
    throw InputError(
        fmt::format("--merge {}: parts {}; run `cinecortex sweep` with this experiment and --part for each",
                    parts, what));
  });
}

/// Everything that is made from the rows.   Collective: over comm.
void write_results(const Sweep& sweep, const std::vector<SweepRow>& rows, const Config& config,
                   const parallel::Communicator& comm, Summary& summary) {
  const auto& outputs = sweep.outputs();
  write_sweep(outputs.sweep(), rows, config.experiment.ridge.alphas, {{digest_attribute, sweep.digest()}},
              comm);
  std::vector<SpaceChoice> choices;
  for (const auto& space : sweep_spaces(rows)) {
    const auto means = sweep_means(rows, space);
    const auto& best = best_of(means);
    choices.push_back({space, best.tried.components, best.tried.design, best.tried.windowed});
    summary.details["best"][space] = {
        {"components", best.tried.components}, {"delays", best.tried.design.delays()}, {"mean_r", best.r}};
  }
  parallel::agree(comm, [&] {
    if (!comm.root()) return;
    io::write_text(outputs.sweep_table(), sweep_csv(rows));
    io::write_text(outputs.sweep_plot(), sweep_plot(rows));
    io::write_text(outputs.sweep_best(), config.experiment.with_choices(choices));
  });
  summary.outputs = {outputs.sweep(), outputs.sweep_table(), outputs.sweep_plot(), outputs.sweep_best()};
  summary.details["configurations"] = rows.size();
  summary.text = sweep_report(rows);
  const auto at_edge = static_cast<double>(
      std::count_if(rows.begin(), rows.end(), [](const SweepRow& row) { return row.edge_share > 0.5; }));
  if (at_edge > 0 && comm.root()) {
    log::warn(
        "sweep: in {} of {} configurations most targets chose an alpha on the grid's edge; widen "
        "ridge.alphas",
        at_edge, rows.size());
  }
  summary.text +=
      fmt::format("The best of each space, as an experiment: {}\n", outputs.sweep_best().string());
}

void do_parts(const Config& config, const parallel::Communicator& comm, Summary& summary, Index& finished) {
  const Sweep sweep(config, comm);
  const SweepPart part = config.runtime.sweep_part;
  PartMaker maker(sweep, config, config.runtime.force && (part.part > 0 || part.parts == 0), comm, finished);
  StatisticsUse use;
  if (part.part > 0) {
    const auto rows = maker.part(part, use, summary);
    summary.outputs = {sweep.outputs().sweep_part(part.part, part.parts)};
    summary.details["configurations"] = rows.size();
    summary.text = fmt::format("part {} of {}: {} rows of the sweep\n", part.part, part.parts, rows.size());
    use.report(summary);
    return;
  }
  // Without --part every space and subject is a part, so that a sweep that was stopped keeps what was finished.
  const Index parts = part.parts > 0 ? part.parts : sweep.units();
  if (part.parts > 0) require_parts(sweep, parts, comm);
  std::vector<SweepRow> rows;
  for (Index i = 1; i <= parts; ++i) {
    for (auto& row : maker.part({i, parts}, use, summary)) rows.push_back(std::move(row));
  }
  parallel::agree(comm, [&] { sweep.sort_and_check(rows); });
  write_results(sweep, rows, config, comm, summary);
  use.report(summary);
}

}  // namespace

Summary sweep(const Config& config, const parallel::Communicator& comm) {
  Index finished = 0;
  return timed_stage(
      "sweep", comm, [&](Summary& summary) { do_parts(config, comm, summary, finished); },
      [&](const Summary&) { return fmt::format("{} configurations × subjects are finished", finished); });
}

}  // namespace cinecortex::stages
