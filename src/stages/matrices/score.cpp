#include <fmt/format.h>

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "cinecortex/core/clock.hpp"
#include "cinecortex/core/log.hpp"
#include "cinecortex/encoding/scores.hpp"
#include "cinecortex/encoding/significance.hpp"
#include "cinecortex/io/text_file.hpp"
#include "cinecortex/parallel/agree.hpp"
#include "inputs.hpp"
#include "scoreboard.hpp"

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
  VectorD p, q;        ///< significance of r; empty: not tested
};

/// Rows of one run, or of all of them, and how they are permuted.
struct Part {
  std::string name;
  Range rows;
  std::optional<encoding::BlockPermutations> permutations;
};

/// A part a run, and one of all rows.
std::vector<Part> parts_of(const Inputs& inputs, const encoding::SignificanceOptions& significance) {
  std::vector<Part> parts;
  std::vector<Index> run_rows;
  Index first = 0;
  for (Index block = 0; block < inputs.y.blocks(); ++block) {
    const auto& piece = inputs.y.piece(block);
    if (parts.empty() || parts.back().name != piece.name) {
      parts.push_back({piece.name, {first, first}, {}});
      run_rows.push_back(0);
    }
    parts.back().rows.end = first += piece.rows.size();
    run_rows.back() += piece.rows.size();
  }
  if (significance.permutations > 0) {
    for (auto& part : parts) part.permutations.emplace(std::vector<Index>{part.rows.size()}, significance);
  }
  if (parts.size() > 1) {
    parts.push_back({"all", {0, first}, {}});
    if (significance.permutations > 0) parts.back().permutations.emplace(run_rows, significance);
  }
  return parts;
}

/// One line for all parts that have few permutations, as many short runs do.   Collective: no.
void warn_of_few_permutations(const std::vector<Part>& parts,
                              const encoding::SignificanceOptions& significance) {
  const Part* fewest = nullptr;
  Index others = -1;
  for (const auto& part : parts) {
    if (!part.permutations || !part.permutations->few()) continue;
    ++others;
    if (!fewest || part.permutations->distinct() < fewest->permutations->distinct()) fewest = &part;
  }
  if (!fewest) return;
  warn_of_few(
      *fewest->permutations, significance,
      fmt::format("rows of {}{}", fewest->name, others > 0 ? fmt::format(" (and {} like them)", others) : ""),
      "--block-tr");
}

/// Scores of some targets, with all their rows in memory at once.   Collective: no.
void correlate(const Inputs& inputs, const std::vector<Part>& parts, Range targets, Range place,
               std::vector<Score>& scores) {
  MatrixF truth(parts.back().rows.end, targets.size()), prediction(truth.rows(), targets.size());
  std::map<std::string, encoding::CorrelationMoments> runs;
  Index first = 0;
  for (Index block = 0; block < inputs.y.blocks(); ++block) {
    const MatrixD y = inputs.y.read(block, targets), p = inputs.prediction.read(block, targets);
    runs.try_emplace(inputs.y.piece(block).name, targets.size()).first->second.add(y, p);
    truth.middleRows(first, y.rows()) = y.cast<float>();
    prediction.middleRows(first, y.rows()) = p.cast<float>();
    first += y.rows();
  }
  encoding::CorrelationMoments all(targets.size());
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto& part = parts[i];
    const auto run = runs.find(part.name);
    const auto& moments = parts.size() > 1 && i + 1 == parts.size() ? all : run->second;
    if (&moments != &all) all.merge(moments);
    scores[i].r.segment(place.begin, place.size()) = moments.pearson();
    scores[i].constant += moments.constant_targets();
    if (!part.permutations) continue;
    scores[i].p.segment(place.begin, place.size()) =
        part.permutations->p_values(truth.middleRows(part.rows.begin, part.rows.size()),
                                    prediction.middleRows(part.rows.begin, part.rows.size()));
  }
}

VectorD everywhere(const VectorD& local, const parallel::Communicator& comm) {
  const auto all = comm.gather(std::span<const double>(local.data(), static_cast<std::size_t>(local.size())));
  return Eigen::Map<const VectorD>(all.data(), static_cast<Index>(all.size()));
}

/// Each rank takes its share of the targets and all rows.   Collective: over comm.
std::vector<Score> correlate(const Inputs& inputs, const encoding::SignificanceOptions& significance,
                             const parallel::Communicator& comm) {
  constexpr Index at_once_bytes = Index{64} << 20;
  const auto parts = parts_of(inputs, significance);
  if (comm.root()) warn_of_few_permutations(parts, significance);
  const Range local = partition(inputs.y.columns(), comm.size(), comm.rank());
  std::vector<Score> scores;
  for (const auto& part : parts) {
    const Index tested = part.permutations ? local.size() : 0;
    scores.push_back({part.name, part.rows.size(), VectorD(local.size()), 0, VectorD(tested), {}});
  }
  parallel::agree(comm, [&] {
    const Index rows = std::max<Index>(inputs.y.total_rows(), 1);
    const Index width = std::max<Index>(16, at_once_bytes / (rows * static_cast<Index>(sizeof(float))));
    for (Index begin = local.begin; begin < local.end; begin += width) {
      const Index end = std::min(begin + width, local.end);
      correlate(inputs, parts, {begin, end}, {begin - local.begin, end - local.begin}, scores);
    }
  });
  for (auto& score : scores) {
    score.r = everywhere(score.r, comm);
    score.constant = comm.sum(std::int64_t{score.constant});
    if (significance.permutations == 0) continue;
    score.p = everywhere(score.p, comm);
    score.q = encoding::q_values(score.p);
  }
  return scores;
}

/// One row a target; r of each run and of all rows, then p, then q.
void write_table(const std::filesystem::path& file, const std::vector<Score>& scores) {
  const std::pair<const char*, VectorD Score::*> columns[] = {
      {"r", &Score::r}, {"p", &Score::p}, {"q", &Score::q}};
  std::string table = "target";
  const auto for_each_column = [&](auto&& fn) {
    for (const auto& [name, values] : columns) {
      for (const auto& score : scores) {
        if ((score.*values).size() > 0) fn(name, score, score.*values);
      }
    }
  };
  for_each_column([&](const char* name, const Score& score, const VectorD&) {
    table += fmt::format(",{}_{}", name, score.rows_of);
  });
  table += '\n';
  for (Index target = 0; target < scores.back().r.size(); ++target) {
    table += fmt::format("{}", target);
    for_each_column([&](const char*, const Score&, const VectorD& values) {
      table += fmt::format(",{}", values[target]);
    });
    table += '\n';
  }
  io::write_text(file, table);
}

Index significant(const Score& score) {
  return (score.q.array() < significant_q).count();
}

void describe(const Score& score, bool tested, Summary& summary) {
  const double mean = encoding::mean(score.r), median = encoding::median(score.r);
  summary.text += fmt::format("  {:<12} {:>8} {:>9.4f} {:>9.4f}", score.rows_of, score.rows, mean, median);
  nlohmann::json entry{
      {"rows_of", score.rows_of}, {"rows", score.rows}, {"mean_r", mean}, {"median_r", median}};
  if (tested) {
    summary.text += fmt::format(" {:>13}", fmt::format("{} of {}", significant(score), score.r.size()));
    entry["significant"] = significant(score);
  }
  summary.text += '\n';
  summary.details["scores"].push_back(entry);
}

}  // namespace

Summary score(const ScoreConfig& config, const parallel::Communicator& comm) {
  const Stopwatch clock;
  const auto inputs = parallel::agree(comm, [&] { return open(config); });
  const auto plan = fmt::format("score: {} rows × {} targets", inputs->y.total_rows(), inputs->y.columns());
  if (auto summary = nothing_to_do("score", config.output, "", config.handling, plan, comm)) return *summary;
  if (inputs->y.total_rows() == 0) throw InputError(fmt::format("{}: there are no rows to score", config.y));
  const auto scores = correlate(*inputs, config.significance, comm);

  Summary summary{.stage = "score", .done = 1};
  const bool tested = config.significance.permutations > 0;
  summary.text = fmt::format("  {:<12} {:>8} {:>9} {:>9}{}\n", "rows of", "rows", "mean r", "median r",
                             tested ? fmt::format(" {:>13}", fmt::format("q < {}", significant_q)) : "");
  for (const auto& score : scores) {
    describe(score, tested, summary);
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
