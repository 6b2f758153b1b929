#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "cinecortex/core/clock.hpp"
#include "cinecortex/core/log.hpp"
#include "cinecortex/encoding/scores.hpp"
#include "cinecortex/io/text_file.hpp"
#include "cinecortex/parallel/agree.hpp"
#include "inputs.hpp"

namespace cinecortex::stages::matrices {
namespace {

struct Inputs {
  MatrixSource y, prediction;
};

std::unique_ptr<Inputs> open(const ScoreConfig& config) {
  if (!config.output.empty()) {
    check_output(config.output, {".csv"}, {config.y, config.prediction, config.groups});
  }
  const io::MatrixFile y(config.y), prediction(config.prediction);
  require_same_shape(prediction, y);
  const auto pieces = cut(read_runs(config.groups, y), rows_per_piece(y.columns()));
  return std::make_unique<Inputs>(
      Inputs{MatrixSource(config.y, pieces), MatrixSource(config.prediction, pieces)});
}

/// Correlations over some of the rows, of every target.
struct Score {
  std::string rows_of;  ///< a run's label, or "all"
  Index rows = 0;
  VectorD r;
  Index constant = 0;  ///< targets whose truth or prediction never changes: their r is 0
};

/// Each rank takes its share of the targets and all rows.   Collective: over comm.
std::vector<Score> correlate(const Inputs& inputs, const parallel::Communicator& comm) {
  const Range targets = partition(inputs.y.columns(), comm.size(), comm.rank());
  std::vector<std::pair<std::string, encoding::CorrelationMoments>> runs;
  parallel::agree(comm, [&] {
    for (Index block = 0; block < inputs.y.blocks(); ++block) {
      const auto& name = inputs.y.piece(block).name;
      if (runs.empty() || runs.back().first != name) runs.emplace_back(name, targets.size());
      runs.back().second.add(inputs.y.read(block, targets), inputs.prediction.read(block, targets));
    }
  });
  encoding::CorrelationMoments all(targets.size());
  for (const auto& [name, moments] : runs) all.merge(moments);
  if (runs.size() > 1) runs.emplace_back("all", all);

  std::vector<Score> scores;
  for (const auto& [name, moments] : runs) {
    const VectorD local = moments.pearson();
    const auto r = comm.gather(std::span<const double>(local.data(), static_cast<std::size_t>(local.size())));
    scores.push_back({name, moments.rows(), Eigen::Map<const VectorD>(r.data(), static_cast<Index>(r.size())),
                      comm.sum(std::int64_t{moments.constant_targets()})});
  }
  return scores;
}

/// One row a target, one column a run, and one of all rows.
void write_table(const std::filesystem::path& file, const std::vector<Score>& scores) {
  std::string table = "target";
  for (const auto& score : scores) table += ",r_" + score.rows_of;
  table += '\n';
  for (Index target = 0; target < scores.back().r.size(); ++target) {
    table += fmt::format("{}", target);
    for (const auto& score : scores) table += fmt::format(",{}", score.r[target]);
    table += '\n';
  }
  io::write_text(file, table);
}

}  // namespace

Summary score(const ScoreConfig& config, const parallel::Communicator& comm) {
  const Stopwatch clock;
  const auto inputs = parallel::agree(comm, [&] { return open(config); });
  const auto plan = fmt::format("score: {} rows × {} targets", inputs->y.total_rows(), inputs->y.columns());
  if (auto summary = nothing_to_do("score", config.output, "", config.handling, plan, comm)) return *summary;
  const auto scores = correlate(*inputs, comm);
  if (scores.empty()) throw InputError(fmt::format("{}: there are no rows to score", config.y));

  Summary summary{.stage = "score", .done = 1};
  summary.text = fmt::format("  {:<12} {:>8} {:>9} {:>9}\n", "rows of", "rows", "mean r", "median r");
  for (const auto& score : scores) {
    const double mean = encoding::mean(score.r), median = encoding::median(score.r);
    summary.text +=
        fmt::format("  {:<12} {:>8} {:>9.4f} {:>9.4f}\n", score.rows_of, score.rows, mean, median);
    summary.details["scores"].push_back(
        {{"rows_of", score.rows_of}, {"rows", score.rows}, {"mean_r", mean}, {"median_r", median}});
    if (comm.root() && score.constant > 0) {
      log::warn("rows of {}: {} of {} targets have a constant response or prediction; their r counts as 0",
                score.rows_of, score.constant, score.r.size());
    }
  }
  if (!config.output.empty()) {
    parallel::agree(comm, [&] {
      if (comm.root()) write_table(config.output, scores);
    });
    summary.outputs = {config.output};
  }
  summary.seconds = clock.seconds();
  return summary;
}

}  // namespace cinecortex::stages::matrices
