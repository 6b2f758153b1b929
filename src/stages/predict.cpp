#include <fmt/format.h>

#include <numeric>

#include "base_predictions.hpp"
#include "cinecortex/core/interrupt.hpp"
#include "cinecortex/core/progress.hpp"
#include "cinecortex/stages/stages.hpp"
#include "missing_models.hpp"
#include "submission.hpp"
#include "timed_stage.hpp"

namespace cinecortex::stages {
namespace {

/// Stacking weights of some targets, for runs with every model and for those that lack some.
class StackWeights {
 public:
  StackWeights(const std::filesystem::path& file, Range targets) : reader_(file), targets_(targets) {
    check_model_file(reader_, "stack");
  }

  /// @param set  name of the set of missing models, "" for none
  MatrixD combine(const std::vector<MatrixD>& predictions, const std::string& set, Index rows) const {
    const auto count = static_cast<Index>(predictions.size());
    const std::string suffix = set.empty() ? "" : "_without/" + set;
    const MatrixD weights = reader_.read<double>("/weights" + suffix, {0, count}, targets_);
    const MatrixD intercept = reader_.read<double>("/intercept" + suffix, targets_, {0, 1});
    MatrixD stacked = intercept.transpose().replicate(rows, 1);
    for (Index model = 0; model < count; ++model) {
      const auto& prediction = predictions[static_cast<std::size_t>(model)];
      if (prediction.rows() == 0) continue;  // this run lacks the model
      stacked.array() += prediction.array().rowwise() * weights.row(model).array();
    }
    return stacked;
  }

 private:
  io::Hdf5Reader reader_;
  Range targets_;
};

void write_prediction(io::Hdf5Writer& writer, const std::string& path, const std::string& model,
                      const MatrixD& prediction, Index rows, Index targets_global, Range targets_local) {
  writer.create(
      path, {rows, targets_global},
      {.type = io::Stored::float32,
       .attributes = {{"description", "prediction of " + model + ", one row a TR from the run's start"}},
       .dimensions = {"TR", "target"}});
  writer.write<double>(path, prediction, 0, targets_local.begin);
}

void predict_subject(const Config& config, const Context& context, const FeatureTable& features, int subject,
                     const std::string& digest, const parallel::Communicator& comm, Progress& progress) {
  const auto& experiment = config.experiment;
  const Index targets = context.catalogue.targets.at(subject);
  const Range local = partition(targets, comm.size(), comm.rank());
  auto predictors = parallel::agree(comm, [&] {
    auto opened = std::make_unique<BasePredictors>(experiment, context.outputs, features, subject);
    opened->load(local);
    return opened;
  });
  const auto stack = parallel::agree(
      comm, [&] { return std::make_unique<StackWeights>(context.outputs.stack(subject), local); });
  io::Hdf5Writer writer(context.outputs.predictions(subject), comm,
                        {{digest_attribute, digest},
                         {"kind", std::string("predictions")},
                         {"subject", dataset::layout::subject_name(subject)}});
  for (const auto* run : context.of(context.split.test)) {
    progress.add(1);
    const Index rows = run->rows(subject);
    if (rows == 0) continue;  // not shown to this subject
    const auto& task = run->id.task;
    const auto set = set_name(experiment, missing_models(experiment, features, task));
    std::vector<Index> times(static_cast<std::size_t>(rows));
    std::iota(times.begin(), times.end(), Index{0});
    std::vector<MatrixD> base;
    const MatrixD stacked = parallel::agree(comm, [&] {
      interrupt::check();
      for (std::size_t space = 0; space < predictors->spaces(); ++space) {
        base.push_back(
            predictors->has(space, task)
                ? predictors->predict(space, experiment.spaces[space].design.for_prediction(), task, times, 0)
                : MatrixD());
      }
      return stack->combine(base, set, rows);
    });
    for (std::size_t space = 0; space < base.size(); ++space) {
      if (!predictors->has(space, task)) continue;
      const auto& name = experiment.spaces[space].name;
      write_prediction(writer, "/base/" + name + "/" + task, "space " + name, base[space], rows, targets,
                       local);
    }
    write_prediction(writer, "/stacked/" + task, "the stack", stacked, rows, targets, local);
  }
  writer.commit();
}

void predict_subjects(const Config& config, const parallel::Communicator& comm, Summary& summary) {
  const Context context = make_context(config, comm);
  const FeatureTable features = load_feature_table(config, context, comm);
  const Digests digests(config, context, features);
  const auto work = static_cast<double>(context.catalogue.subjects.size() * context.split.test.size());
  Progress progress("predict", work, "run", config.runtime.progress && comm.root());
  for (const int subject : context.catalogue.subjects) {
    for (const auto& space : config.experiment.spaces) {
      require_current(context.outputs.ridge(space.name, subject), digests.ridge(space, subject), "ridge",
                      comm);
    }
    require_current(context.outputs.stack(subject), digests.stack(subject), "stack", comm);
    const auto file = context.outputs.predictions(subject);
    const auto digest = digests.predictions(subject);
    summary.outputs.push_back(file);
    if (!config.runtime.force && is_current(file, digest, comm)) {
      ++summary.kept;
      progress.add(static_cast<double>(context.split.test.size()));
      continue;
    }
    predict_subject(config, context, features, subject, digest, comm, progress);
    ++summary.done;
  }
  progress.finish();
  for (auto& file : write_submissions(context, comm)) summary.outputs.push_back(std::move(file));
}

}  // namespace

Summary predict(const Config& config, const parallel::Communicator& comm) {
  return timed_stage("predict", comm, [&](Summary& summary) { predict_subjects(config, comm, summary); });
}

}  // namespace cinecortex::stages
