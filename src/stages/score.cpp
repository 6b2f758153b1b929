#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "cinecortex/core/clock.hpp"
#include "cinecortex/core/interrupt.hpp"
#include "cinecortex/core/log.hpp"
#include "cinecortex/encoding/scores.hpp"
#include "cinecortex/io/text_file.hpp"
#include "cinecortex/stages/stages.hpp"
#include "model_files.hpp"
#include "score_plot.hpp"
#include "scoreboard.hpp"
#include "sources.hpp"
#include "truth_report.hpp"

namespace cinecortex::stages {
namespace {

using Runs = std::vector<const dataset::Run*>;

/// Scores the predictions of one subject; every rank has some of the targets.
class SubjectScorer {
 public:
  SubjectScorer(const Config& config, const Context& context, const FeatureTable& features, int subject,
                const parallel::Communicator& comm)
      : config_(config),
        features_(features),
        subject_(subject),
        comm_(comm),
        targets_(context.catalogue.targets.at(subject)),
        local_(partition(targets_, comm.size(), comm.rank())),
        predictions_(context.outputs.predictions(subject)) {}

  /// r of one model on one group of runs, all targets on every rank; nothing if no run has this model.
  std::optional<Score> score(const std::string& model, const std::string& group, const Runs& runs) const {
    encoding::CorrelationMoments moments(local_.size());
    Index used = 0;
    parallel::agree(comm_, [&] {
      for (const auto& presentation : presentations(runs, subject_, config_.experiment.data, features_)) {
        interrupt::check();
        const std::string path = prefix(model) + presentation.run->id.task;
        if (!predictions_.contains(path)) continue;
        const Range rows = trimmed(presentation.rows, config_.experiment.data);
        if (rows.empty()) continue;
        const auto truth =
            dataset::read_responses(*presentation.run, subject_, local_, config_.experiment.data.repeats)
                .at(static_cast<std::size_t>(presentation.repeat));
        moments.add(truth.middleRows(rows.begin, rows.size()).cast<double>(),
                    read_finite(predictions_, path, rows, local_));
        ++used;
      }
    });
    if (used == 0) return std::nullopt;
    const Index constant = comm_.sum(std::int64_t{moments.constant_targets()});
    if (constant > 0 && comm_.root()) {
      log::warn("{}, {}, {}: {} of {} targets are constant in truth or prediction and count as r = 0", name(),
                model, group, constant, targets_);
    }
    return Score{name(), model, group, used, moments.rows(), everywhere(moments.pearson())};
  }

  /// Mean correlation between two presentations of the same run, from every run shown twice; empty if there is none.
  VectorD repeat_correlation(const Runs& runs) const {
    std::vector<MatrixD> repeats(2);
    parallel::agree(comm_, [&] {
      for (const auto* run : runs) {
        const auto found = run->fmri.find(subject_);
        if (found == run->fmri.end() || found->second.size() < 2) continue;
        interrupt::check();
        const auto shown = dataset::read_responses(*run, subject_, local_, dataset::Repeats::keep);
        const Range rows = trimmed(std::min(shown[0].rows(), shown[1].rows()), config_.experiment.data);
        for (std::size_t i = 0; i < 2; ++i) append(repeats[i], shown[i].middleRows(rows.begin, rows.size()));
      }
    });
    if (repeats[0].rows() == 0) return {};
    return everywhere(encoding::repeat_correlation(repeats));
  }

  std::string name() const { return dataset::layout::subject_name(subject_); }

 private:
  static std::string prefix(const std::string& model) {
    return model == stacked_model ? "/stacked/" : "/base/" + model + "/";
  }

  void append(MatrixD& to, const ConstViewF& rows) const {
    const Index before = to.rows();
    to.conservativeResize(before + rows.rows(), local_.size());
    to.bottomRows(rows.rows()) = rows.cast<double>();
  }

  VectorD everywhere(const VectorD& local) const {
    const auto all =
        comm_.gather(std::span<const double>(local.data(), static_cast<std::size_t>(local.size())));
    return Eigen::Map<const VectorD>(all.data(), static_cast<Index>(all.size()));
  }

  const Config& config_;
  const FeatureTable& features_;
  int subject_;
  const parallel::Communicator& comm_;
  Index targets_;
  Range local_;
  io::Hdf5Reader predictions_;
};

/// Test runs with truth for a subject, by season or movie.
std::vector<std::pair<std::string, Runs>> groups(const Context& context, int subject) {
  std::vector<std::pair<std::string, Runs>> found;
  for (const auto* run : context.with_fmri(context.split.test, subject)) {
    const auto name = run->id.group();
    if (found.empty() || found.back().first != name) found.push_back({name, {}});
    found.back().second.push_back(run);
  }
  return found;
}

/// How many presentations the scored truth is the average of.
Index presentations_averaged(const Runs& runs, int subject, dataset::Repeats repeats) {
  if (repeats == dataset::Repeats::keep) return 1;
  Index least = 0;
  for (const auto* run : runs) {
    const auto count = static_cast<Index>(run->fmri.at(subject).size());
    least = least == 0 ? count : std::min(least, count);
  }
  return least;
}

void score_subject(const Config& config, const Context& context, const FeatureTable& features, int subject,
                   const parallel::Communicator& comm, Scoreboard& board) {
  const auto scorer = parallel::agree(
      comm, [&] { return std::make_unique<SubjectScorer>(config, context, features, subject, comm); });
  std::vector<std::string> models;
  for (const auto& space : config.experiment.spaces) models.push_back(space.name);
  models.emplace_back(stacked_model);
  const VectorD repeated = scorer->repeat_correlation(context.runs);
  for (const auto& [group, runs] : groups(context, subject)) {
    for (const auto& model : models) {
      if (auto score = scorer->score(model, group, runs)) board.add(std::move(*score));
    }
    if (repeated.size() == 0) continue;
    const Index shown = presentations_averaged(runs, subject, config.experiment.data.repeats);
    board.add({scorer->name(), ceiling_model, group, static_cast<Index>(runs.size()), 0,
               encoding::noise_ceiling(repeated, shown)});
  }
}

void write_scores(const Outputs& outputs, const Scoreboard& board, const std::string& digest,
                  const parallel::Communicator& comm) {
  io::Hdf5Writer writer(outputs.scores(), comm,
                        {{digest_attribute, digest}, {"kind", std::string("scores")}});
  for (const auto& score : board.scores()) {
    writer.put("/r/" + score.subject + "/" + score.group + "/" + score.model, score.r,
               {.type = io::Stored::float64,
                .attributes = {{"description", std::string("Pearson r per target")},
                               {"rows", std::int64_t{score.rows}},
                               {"runs", std::int64_t{score.runs}}},
                .dimensions = {"target"}});
  }
  writer.commit();
  parallel::agree(comm, [&] {
    if (!comm.root()) return;
    io::write_text(outputs.scores_table(), board.csv());
    io::write_text(outputs.scores_plot(), score_plot(board));
  });
}

}  // namespace

Summary score(const Config& config, const parallel::Communicator& comm) {
  const Stopwatch clock;
  const Context context = make_context(config, comm);
  const FeatureTable features = load_feature_table(config, context, comm);
  const Digests digests(config, context, features);
  Scoreboard board;
  for (const int subject : context.catalogue.subjects) {
    require_current(context.outputs.predictions(subject), digests.predictions(subject), "predict", comm);
    score_subject(config, context, features, subject, comm, board);
  }
  // Scores are cheap beside what they are made from, and the table is wanted every time: they are always made anew.
  write_scores(context.outputs, board, digests.scores(), comm);

  Summary summary{.stage = "score", .done = 1};
  summary.outputs = {context.outputs.scores(), context.outputs.scores_table(), context.outputs.scores_plot()};
  summary.text = board.scores().empty() ? "No test run has fMRI: nothing to score.\n" : board.table();
  for (const auto& group : board.groups()) {
    for (const auto& model : board.models(group))
      summary.details["mean_r"][group][model] = board.mean(model, group);
  }
  if (const auto truth = truth_report(config, context, board, comm); !truth.text.empty()) {
    summary.text += truth.text;
    summary.details["truth"] = truth.details;
  }
  summary.seconds = clock.seconds();
  return summary;
}

}  // namespace cinecortex::stages
