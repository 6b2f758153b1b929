#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <optional>

#include "cinecortex/core/interrupt.hpp"
#include "cinecortex/core/log.hpp"
#include "cinecortex/encoding/scores.hpp"
#include "cinecortex/encoding/significance.hpp"
#include "cinecortex/io/text_file.hpp"
#include "cinecortex/stages/stages.hpp"
#include "model_files.hpp"
#include "score_plot.hpp"
#include "scoreboard.hpp"
#include "sources.hpp"
#include "timed_stage.hpp"
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
    const auto scored = parallel::agree(comm_, [&] { return scored_runs(model, runs); });
    if (scored.empty()) return std::nullopt;
    std::vector<Index> run_rows;
    for (const auto& run : scored) run_rows.push_back(run.rows.size());
    std::optional<encoding::BlockPermutations> permutations;
    if (config_.experiment.significance.permutations > 0) {
      permutations.emplace(run_rows, config_.experiment.significance);
      if (model == stacked_model && comm_.root() && permutations->few()) {
        warn_of_few(*permutations, config_.experiment.significance, name() + ", " + group, "score.block_tr");
      }
    }
    const auto local = parallel::agree(comm_, [&] { return score_locally(scored, permutations); });
    const Index constant = comm_.sum(std::int64_t{local.constant});
    if (constant > 0 && comm_.root()) {
      log::warn("{}, {}, {}: {} of {} targets are constant in truth or prediction and count as r = 0", name(),
                model, group, constant, targets_);
    }
    Score score{name(),
                model,
                group,
                static_cast<Index>(scored.size()),
                std::accumulate(run_rows.begin(), run_rows.end(), Index{0}),
                everywhere(local.r),
                {},
                {}};
    if (permutations) {
      score.p = everywhere(local.p);
      score.q = encoding::q_values(score.p);
    }
    return score;
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
  /// One presentation whose prediction is there.
  struct ScoredRun {
    Presentation presentation;
    Range rows;  ///< without what is trimmed
    std::string path;
  };
  struct LocalScore {
    VectorD r, p;  ///< p: empty without permutations
    Index constant = 0;
  };

  std::vector<ScoredRun> scored_runs(const std::string& model, const Runs& runs) const {
    std::vector<ScoredRun> scored;
    for (const auto& presentation : presentations(runs, subject_, config_.experiment.data, features_)) {
      const std::string path = prefix(model) + presentation.run->id.task;
      const Range rows = trimmed(presentation.rows, config_.experiment.data);
      if (predictions_.contains(path) && !rows.empty()) scored.push_back({presentation, rows, path});
    }
    return scored;
  }

  /// This rank's targets, so many at a time that all their rows fit the memory.   Collective: no.
  LocalScore score_locally(const std::vector<ScoredRun>& scored,
                           const std::optional<encoding::BlockPermutations>& permutations) const {
    constexpr Index at_once_bytes = Index{64} << 20;
    Index rows = 0;
    for (const auto& run : scored) rows += run.rows.size();
    const Index width = std::max<Index>(16, at_once_bytes / (rows * static_cast<Index>(sizeof(float))));
    LocalScore score{VectorD(local_.size()), VectorD(permutations ? local_.size() : 0)};
    for (Index begin = local_.begin; begin < local_.end; begin += width) {
      const Range targets{begin, std::min(begin + width, local_.end)};
      encoding::CorrelationMoments moments(targets.size());
      MatrixF truth(permutations ? rows : 0, targets.size()), prediction = truth;
      Index first = 0;
      for (const auto& run : scored) {
        interrupt::check();
        const auto shown = dataset::read_responses(*run.presentation.run, subject_, targets,
                                                   config_.experiment.data.repeats);
        const MatrixF y = shown.at(static_cast<std::size_t>(run.presentation.repeat))
                              .middleRows(run.rows.begin, run.rows.size());
        const MatrixF predicted = read_finite<float>(predictions_, run.path, run.rows, targets);
        moments.add(y.cast<double>(), predicted.cast<double>());
        if (!permutations) continue;
        truth.middleRows(first, y.rows()) = y;
        prediction.middleRows(first, y.rows()) = predicted;
        first += y.rows();
      }
      score.r.segment(begin - local_.begin, targets.size()) = moments.pearson();
      score.constant += moments.constant_targets();
      if (permutations) {
        score.p.segment(begin - local_.begin, targets.size()) = permutations->p_values(truth, prediction);
      }
    }
    return score;
  }

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
    board.add({scorer->name(),
               ceiling_model,
               group,
               static_cast<Index>(runs.size()),
               0,
               encoding::noise_ceiling(repeated, shown),
               {},
               {}});
  }
}

void write_scores(const Outputs& outputs, const Scoreboard& board,
                  const encoding::SignificanceOptions& significance, const std::string& digest,
                  const parallel::Communicator& comm) {
  Attributes attributes{{digest_attribute, digest}, {"kind", std::string("scores")}};
  attributes["permutations"] = std::int64_t{significance.permutations};
  if (significance.permutations > 0) attributes["block_tr"] = std::int64_t{significance.block_tr};
  io::Hdf5Writer writer(outputs.scores(), comm, attributes);
  const auto put = [&](const std::string& what, const Score& score, const VectorD& values,
                       const std::string& description) {
    writer.put("/" + what + "/" + score.subject + "/" + score.group + "/" + score.model, values,
               {.type = io::Stored::float64,
                .attributes = {{"description", description},
                               {"rows", std::int64_t{score.rows}},
                               {"runs", std::int64_t{score.runs}}},
                .dimensions = {"target"}});
  };
  for (const auto& score : board.scores()) {
    put("r", score, score.r, "Pearson r per target");
    if (score.p.size() == 0) continue;
    put("p", score, score.p, "p-value of r, one-sided, by permutation of blocks of TRs");
    put("q", score, score.q, "false discovery rate at which the target counts (Benjamini-Hochberg)");
  }
  writer.commit();
  parallel::agree(comm, [&] {
    if (!comm.root()) return;
    io::write_text(outputs.scores_table(), board.csv());
    io::write_text(outputs.scores_plot(), score_plot(board));
  });
}

void score_subjects(const Config& config, const parallel::Communicator& comm, Summary& summary) {
  const Context context = make_context(config, comm);
  const FeatureTable features = load_feature_table(config, context, comm);
  const Digests digests(config, context, features);
  Scoreboard board;
  for (const int subject : context.catalogue.subjects) {
    require_current(context.outputs.predictions(subject), digests.predictions(subject), "predict", comm);
    score_subject(config, context, features, subject, comm, board);
  }
  // Scores are cheap beside what they are made from, and the table is wanted every time: they are always made anew.
  write_scores(context.outputs, board, config.experiment.significance, digests.scores(), comm);

  summary.done = 1;
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
}

}  // namespace

Summary score(const Config& config, const parallel::Communicator& comm) {
  return timed_stage("score", comm, [&](Summary& summary) { score_subjects(config, comm, summary); });
}

}  // namespace cinecortex::stages
