#include "cinecortex/encoding/pca.hpp"

#include <fmt/format.h>

#include "cinecortex/core/clock.hpp"
#include "cinecortex/parallel/agree.hpp"
#include "inputs.hpp"
#include "model_files.hpp"
#include "outputs.hpp"

namespace cinecortex::stages::matrices {
namespace {

MatrixSource open(const PcaConfig& config) {
  check_output(config.output, {".h5", ".hdf5"}, {config.x, config.groups});
  const io::MatrixFile x(config.x);
  auto runs = read_runs(config.groups, x);
  if (config.options.scale == encoding::Scale::per_run) return {config.x, std::move(runs)};
  // Every fit_every-th row of a run counts from its first row: cuts in between must not start the count anew.
  const Index step = config.options.fit_every;
  return {config.x, cut(runs, std::max(rows_per_piece(x.columns()) / step, Index{1}) * step)};
}

/// Scores of every piece: each rank transforms one of a batch, then all write together.
void write_scores(io::Hdf5Writer& writer, const encoding::Pca& pca, const MatrixSource& x,
                  const parallel::Communicator& comm) {
  const Index components = pca.components.rows();
  writer.create("/scores", {x.total_rows(), components},
                {.type = io::Stored::float32,
                 .attributes = {{"description", std::string("principal component scores, one row a TR")}},
                 .dimensions = {"TR", "component"}});
  for (Index first = 0; first < x.blocks(); first += comm.size()) {
    const Index mine = first + comm.rank();
    const bool busy = mine < x.blocks();
    const MatrixD scores =
        parallel::agree(comm, [&] { return busy ? pca.transform(x, mine) : MatrixD(0, components); });
    writer.write<double>("/scores", scores, busy ? x.piece(mine).file_rows().begin : 0, 0);
  }
}

std::string describe(const encoding::Pca& pca) {
  std::string text = fmt::format(
      "PCA of {} rows × {} features by the {} solver: {} components explain {:.2f}%\n", pca.fit_rows,
      pca.mean.size(), pca.solver, pca.components.rows(), 100 * pca.explained_variance_ratio.sum());
  text += "  components   cumulative explained variance\n";
  double sum = 0;
  for (Index k = 0, next = 1; k < pca.explained_variance_ratio.size(); ++k) {
    sum += pca.explained_variance_ratio[k];
    if (k + 1 != next && k + 1 != pca.explained_variance_ratio.size()) continue;
    text += fmt::format("  {:>10}   {:6.2f}%\n", k + 1, 100 * sum);
    next *= 2;
  }
  return text;
}

}  // namespace

Summary pca(const PcaConfig& config, const parallel::Communicator& comm) {
  const Stopwatch clock;
  const MatrixSource x = parallel::agree(comm, [&] { return open(config); });
  auto options = config.options;
  options.memory_bytes = memory_for_fit(config.handling.memory_bytes);
  const auto digest = job_digest(
      "pca", {config.x, config.groups},
      [&](Digest& d) {
        d.add(std::int64_t{options.components}).add(static_cast<std::int64_t>(options.scale));
        d.add(std::int64_t{options.fit_every}).add(static_cast<std::int64_t>(options.solver));
        d.add(static_cast<std::int64_t>(options.seed));
      },
      comm);
  const auto plan = fmt::format("pca: {} rows × {} features in {}", x.total_rows(), x.columns(), config.x);
  if (auto summary = nothing_to_do("pca", config.output, digest, config.handling, plan, comm))
    return *summary;

  const auto pca = encoding::fit_pca(x, options, comm);
  auto attributes = pca_attributes(pca);
  attributes[digest_attribute] = digest;
  io::Hdf5Writer writer(config.output, comm, attributes);
  put_pca(writer, pca);
  write_scores(writer, pca, x, comm);
  writer.commit();

  Summary summary{.stage = "pca", .seconds = clock.seconds(), .done = 1, .outputs = {config.output}};
  summary.text = describe(pca);
  summary.details = {{"components", pca.components.rows()},
                     {"fit_rows", pca.fit_rows},
                     {"solver", pca.solver},
                     {"explained_variance", pca.explained_variance_ratio.sum()},
                     {"orthogonality", pca.orthogonality},
                     {"residual", pca.residual}};
  return summary;
}

}  // namespace cinecortex::stages::matrices
