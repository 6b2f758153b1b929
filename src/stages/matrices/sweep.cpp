#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "cinecortex/core/clock.hpp"
#include "cinecortex/core/interrupt.hpp"
#include "cinecortex/core/progress.hpp"
#include "cinecortex/encoding/sweep.hpp"
#include "cinecortex/parallel/agree.hpp"
#include "inputs.hpp"
#include "outputs.hpp"
#include "sweep_table.hpp"

namespace cinecortex::stages::matrices {
namespace {

/// The leading columns of a matrix at some delays. A block is a run, or some rows of the only run.
class LaggedMatrix final : public encoding::LaggedSource {
 public:
  LaggedMatrix(const std::string& where, std::vector<Piece> pieces, encoding::Design design, Index components)
      : file_(where), pieces_(std::move(pieces)), design_(std::move(design)), components_(components) {}

  const encoding::Design& design() const override { return design_; }
  Index components() const override { return components_; }
  Index feature_rows(Index block) const override { return piece(block).run.size(); }
  Range times(Index block) const override { return piece(block).rows; }
  Index lowest() const override { return 0; }
  MatrixD features(Index block) const override { return read_run<double>(block); }
  MatrixF features_single(Index block) const override { return read_run<float>(block); }
  MatrixD first_features(Index block, Index count) const override {
    const Range run = piece(block).run;
    return file_.read<double>({run.begin, std::min(run.end, run.begin + count)}, {0, components_});
  }
  bool single_precision() const override { return file_.single(); }
  Index blocks() const override { return static_cast<Index>(pieces_.size()); }
  std::string name(Index block) const override { return file_.where() + " run " + piece(block).name; }

 private:
  const Piece& piece(Index block) const { return pieces_[static_cast<std::size_t>(block)]; }
  template <class Scalar>
  Matrix<Scalar> read_run(Index block) const {
    interrupt::check();
    return file_.read<Scalar>(piece(block).run, {0, components_});
  }

  io::MatrixFile file_;
  std::vector<Piece> pieces_;
  encoding::Design design_;
  Index components_;
};

struct Plan {
  std::vector<SweepCase> cases;
  std::vector<Piece> pieces;
  SweepGroups groups;
  Index targets = 0, alphas = 0;
};

/// Folds of whole runs, or of the rows of the only run.
Plan make_plan(const SweepConfig& config) {
  check_output(config.output, {".h5", ".hdf5"}, {config.x, config.y, config.groups});
  const io::MatrixFile x(config.x), y(config.y);
  require_same_rows(x, y);
  Plan plan{
      .cases = sweep_cases(config.sweep, encoding::Design::fir({0}, config.edge), x.columns(), x.where()),
      .pieces = read_runs(config.groups, x),
      .groups = {},
      .targets = y.columns(),
      .alphas = std::ssize(config.options.alphas)};
  require_reach(plan.cases, extents(plan.pieces), x.where());
  const Index folds = config.sweep.folds.count;
  if (plan.pieces.size() > 1) {
    std::vector<std::string> names;
    for (const auto& piece : plan.pieces) names.push_back(piece.name);
    const SweepFolds whole_runs{.by = SweepFolds::By::contiguous, .count = folds};
    plan.groups = sweep_groups(whole_runs, names, names);
    return plan;
  }
  const Piece run = plan.pieces.front();
  if (run.rows.size() / 2 < folds) {
    throw InputError(
        fmt::format("folds = {}: {} rows are too few for two in every fold", folds, run.rows.size()));
  }
  plan.pieces.clear();
  for (Index fold = 0; fold < folds; ++fold) {
    plan.pieces.push_back({run.name, run.run, partition(run.rows.size(), folds, fold)});
    plan.groups.of.push_back(fold);
  }
  plan.groups.count = folds;
  plan.groups.by = "rows";
  return plan;
}

double bytes_of(const Plan& plan, const parallel::Communicator& comm) {
  encoding::SweepShape shape{.groups = plan.groups.count,
                             .targets = plan.targets,
                             .alphas = plan.alphas,
                             .runs = std::ssize(plan.pieces),
                             .ranks = comm.size()};
  for (const auto& piece : plan.pieces) shape.run_rows = std::max(shape.run_rows, piece.run.size());
  return encoding::sweep_bytes(sweep_points(plan.cases), shape);
}

std::string describe(const Plan& plan, const parallel::Communicator& comm) {
  Index widest = 0;
  for (const auto& tried : plan.cases) widest = std::max(widest, tried.columns());
  return fmt::format("sweep: {} configurations of up to {} columns on {} targets, {} folds; {} a rank",
                     plan.cases.size(), widest, plan.targets, plan.groups.count,
                     format_bytes(bytes_of(plan, comm)));
}

void add_to(Digest& digest, const SweepConfig& config, const Plan& plan) {
  for (const double alpha : config.options.alphas) digest.add(alpha);
  digest.add(config.options.measure)
      .add(std::int64_t{config.options.per_target})
      .add(std::int64_t{plan.groups.count});
  digest.add(static_cast<std::int64_t>(config.edge));
  for (const auto& tried : plan.cases) digest.add(std::int64_t{tried.components}).add(tried.delays());
}

}  // namespace

Summary sweep(const SweepConfig& config, const parallel::Communicator& comm) {
  const Stopwatch clock;
  const Plan plan = parallel::agree(comm, [&] { return make_plan(config); });
  const auto digest = job_digest(
      "sweep", {config.x, config.y, config.groups}, [&](Digest& d) { add_to(d, config, plan); }, comm);
  if (auto summary =
          nothing_to_do("sweep", config.output, digest, config.handling, describe(plan, comm), comm)) {
    return *summary;
  }
  if (comm.root()) warn_of_memory(config.x, bytes_of(plan, comm), config.handling.memory_bytes);
  const auto x = parallel::agree(comm, [&] {
    return std::make_unique<LaggedMatrix>(config.x, plan.pieces, widest_design(plan.cases),
                                          most_components(plan.cases));
  });
  const auto y = parallel::agree(comm, [&] { return std::make_unique<MatrixSource>(config.y, plan.pieces); });
  auto scores = encoding::sweep(*x, *y, plan.groups.of, plan.groups.count, sweep_points(plan.cases),
                                config.options, comm);
  std::vector<SweepRow> rows;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    SweepRow row{.number = static_cast<Index>(i),
                 .tried = plan.cases[i],
                 .folds = plan.groups.count,
                 .folds_by = plan.groups.by};
    set_score(row, std::move(scores[i]), config.options.alphas, comm);
    rows.push_back(std::move(row));
  }
  write_sweep(config.output, rows, config.options.alphas, {{digest_attribute, digest}}, comm);

  const auto means = sweep_means(rows, "");
  const auto& best = best_of(means);
  Summary summary{.stage = "sweep", .seconds = clock.seconds(), .done = 1, .outputs = {config.output}};
  summary.text = sweep_report(rows);
  summary.details = {
      {"configurations", rows.size()},
      {"folds", plan.groups.count},
      {"best",
       {{"components", best.tried.components}, {"delays", best.tried.design.delays()}, {"mean_r", best.r}}}};
  return summary;
}

}  // namespace cinecortex::stages::matrices
