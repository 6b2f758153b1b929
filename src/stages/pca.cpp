#include <fmt/format.h>

#include "cinecortex/core/interrupt.hpp"
#include "cinecortex/core/log.hpp"
#include "cinecortex/core/progress.hpp"
#include "cinecortex/stages/stages.hpp"
#include "model_files.hpp"
#include "sources.hpp"
#include "timed_stage.hpp"

namespace cinecortex::stages {
namespace {

/// Scores of every run: each rank transforms one run of a batch, then all write them one after the other.
void write_scores(io::Hdf5Writer& writer, const encoding::Pca& pca, const FeatureSource& source,
                  const parallel::Communicator& comm, Progress& progress) {
  for (Index first = 0; first < source.blocks(); first += comm.size()) {
    const Index mine = first + comm.rank();
    const MatrixD scores = parallel::agree(comm, [&] {
      interrupt::check();
      return mine < source.blocks() ? pca.transform(source, mine) : MatrixD();
    });
    const MatrixD nothing(0, pca.components.rows());
    for (Index block = first; block < std::min(first + comm.size(), source.blocks()); ++block) {
      const std::string path = "/scores/" + source.name(block);
      writer.create(path, {source.rows(block), pca.components.rows()},
                    {.type = io::Stored::float32,
                     .attributes = {{"description", std::string("principal component scores, one row a TR")}},
                     .dimensions = {"TR", "component"}});
      writer.write<double>(path, block == mine ? scores : nothing, 0, 0);
      progress.add(1);
    }
  }
}

void fit_space(const SpaceConfig& space, const Context& context, const FeatureTable& features,
               const std::string& digest, const Config& config, const parallel::Communicator& comm,
               nlohmann::json& details) {
  const FeatureSource all(context, features, space.name, with_features(context.runs, features, space.name));
  const FeatureSource fit(
      context, features, space.name,
      with_features(space.pca.fit_all ? context.runs : context.of(context.split.base), features, space.name));
  if (fit.blocks() == 0) {
    throw InputError(fmt::format("space {}: no run of the PCA's fit has features (split.base)", space.name));
  }
  if (comm.root()) log::info("pca: space {}, {} runs × {} features", space.name, fit.blocks(), fit.columns());
  auto options = space.pca.options;
  options.memory_bytes = memory_for_fit(config.runtime.memory_bytes);
  const auto pca =
      naming_failures("space " + space.name, [&] { return encoding::fit_pca(fit, options, comm); });

  auto attributes = pca_attributes(pca);
  attributes[digest_attribute] = digest;
  attributes["space"] = space.name;
  io::Hdf5Writer writer(context.outputs.pca(space.name), comm, attributes);
  put_pca(writer, pca);
  Progress progress("scores", static_cast<double>(all.blocks()), "run",
                    config.runtime.progress && comm.root());
  write_scores(writer, pca, all, comm, progress);
  writer.commit();
  details[space.name] = {{"components", pca.components.rows()},
                         {"features", all.columns()},
                         {"explained_variance", pca.explained_variance_ratio.sum()},
                         {"solver", pca.solver},
                         {"residual", pca.residual}};
}

void fit_spaces(const Config& config, const parallel::Communicator& comm, Summary& summary) {
  const Context context = make_context(config, comm);
  const FeatureTable features = load_feature_table(config, context, comm);
  const Digests digests(config, context, features);
  for (const auto& space : config.experiment.spaces) {
    const auto digest = digests.pca(space);
    const auto file = context.outputs.pca(space.name);
    summary.outputs.push_back(file);
    if (!config.runtime.force && is_current(file, digest, comm)) {
      ++summary.kept;
      continue;
    }
    fit_space(space, context, features, digest, config, comm, summary.details);
    ++summary.done;
  }
}

}  // namespace

Summary pca(const Config& config, const parallel::Communicator& comm) {
  return timed_stage("pca", comm, [&](Summary& summary) { fit_spaces(config, comm, summary); });
}

}  // namespace cinecortex::stages
