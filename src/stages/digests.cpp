#include "digests.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cinecortex/core/digest.hpp"
#include "cinecortex/io/hdf5.hpp"
#include "cinecortex/models/runtime.hpp"

namespace cinecortex::stages {
namespace {

/// Raised when a stage computes something else than it did: old outputs are then redone.
constexpr const char* features_version = "features-1";
constexpr const char* pca_version = "pca-1";
constexpr const char* statistics_version = "statistics-2";  // 2: about zero where means are small
constexpr const char* ridge_version = "ridge-1";
constexpr const char* stack_version = "stack-1";
constexpr const char* predictions_version = "predictions-1";
constexpr const char* sweep_version = "sweep-1";
constexpr const char* partition_version = "partition-1";
constexpr const char* scores_version = "scores-2";

void add(Digest& digest, const models::Option& option) {
  digest.add(static_cast<std::int64_t>(option.index()));
  std::visit(
      [&](const auto& value) {
        using T = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<T, bool>) {
          digest.add(std::int64_t{value});
        } else if constexpr (std::is_same_v<T, std::vector<double>> ||
                             std::is_same_v<T, std::vector<std::string>>) {
          digest.add(static_cast<std::int64_t>(value.size()));
          for (const auto& item : value) digest.add(item);
        } else {
          digest.add(value);
        }
      },
      option);
}

bool changes_features(const std::string& model, const std::string& key) {
  for (const auto& info : models::model_catalogue()) {
    if (info.name != model) continue;
    for (const auto& option : info.options) {
      if (option.name == key) return option.changes_features;
    }
  }
  return true;
}

FeatureFile read_header(const std::filesystem::path& file, const std::string& settings,
                        const std::string& space) {
  const std::string advice = models::statistics_only()
                                 ? "; this program, built for statistics only, cannot make them: run "
                                   "`cinecortex extract` with this experiment on a complete build"
                                 : "; run `cinecortex extract` with this experiment first";
  if (!std::filesystem::exists(file)) {
    throw InputError(fmt::format("{}: no features of space {}{}", file.string(), space, advice));
  }
  const io::Hdf5Reader reader(file);
  const auto made_with = reader.attribute("/", "settings_digest");
  if (!made_with || *made_with != io::Attribute(settings)) {
    throw InputError(fmt::format("{}: made with other settings of space {}{}", file.string(), space, advice));
  }
  const auto shape = reader.info("/features").shape;
  return {shape.at(0), shape.at(1), stored_digest(file)};
}

}  // namespace

std::string feature_settings_digest(const SpaceConfig& space, const DataConfig& data) {
  Digest digest;
  digest.add(features_version).add(space.model.model).add(space.model.weights.string()).add(space.reading);
  digest.add(data.tr_s);
  for (const auto& [key, value] : space.model.options) {
    if (!changes_features(space.model.model, key)) continue;
    digest.add(key);
    add(digest, value);
  }
  return digest.hex();
}

FeatureTable load_feature_table(const Config& config, const Context& context,
                                const parallel::Communicator& comm) {
  const std::string text = from_root(comm, [&] {
    nlohmann::json table = nlohmann::json::object();
    for (const auto& space : config.experiment.spaces) {
      const auto settings = feature_settings_digest(space, config.experiment.data);
      for (const auto* run : context.runs) {
        const auto file =
            read_header(context.outputs.features(space.name, run->id.task), settings, space.name);
        table[space.name][run->id.task] = {file.rows, file.width, file.digest};
      }
    }
    return table.dump();
  });
  FeatureTable table;
  const auto json = nlohmann::json::parse(text);
  for (const auto& [space, runs] : json.items()) {
    for (const auto& [run, entry] : runs.items()) {
      table[space][run] = {entry[0].get<Index>(), entry[1].get<Index>(), entry[2].get<std::string>()};
    }
  }
  return table;
}

std::vector<const dataset::Run*> with_features(std::vector<const dataset::Run*> runs,
                                               const FeatureTable& features, const std::string& space) {
  std::erase_if(runs, [&](const auto* run) { return features.at(space).at(run->id.task).rows == 0; });
  return runs;
}

std::string Digests::features(const SpaceConfig& space, const std::vector<const dataset::Run*>& runs) const {
  Digest digest;
  for (const auto* run : runs) digest.add(run->id.task).add(features_.at(space.name).at(run->id.task).digest);
  return digest.hex();
}

std::string Digests::pca_fit(const SpaceConfig& space) const {
  const auto& options = space.pca.options;
  Digest digest;
  digest.add(pca_version).add(std::int64_t{options.components}).add(static_cast<std::int64_t>(options.scale));
  digest.add(std::int64_t{options.fit_every}).add(static_cast<std::int64_t>(options.solver));
  digest.add(static_cast<std::int64_t>(options.seed));
  return digest.add(features(space, space.pca.fit_all ? context_.runs : context_.of(context_.split.base)))
      .hex();
}

std::string Digests::pca(const SpaceConfig& space) const {
  return Digest().add(pca_fit(space)).add(features(space, context_.runs)).hex();
}

std::string Digests::responses(const std::vector<std::string>& role, int subject) const {
  const auto& data = config_.experiment.data;
  Digest digest;
  digest.add(std::int64_t{data.trim_tr[0]}).add(std::int64_t{data.trim_tr[1]});
  digest.add(static_cast<std::int64_t>(data.repeats));
  for (const auto* run : context_.with_fmri(role, subject)) {
    digest.add(run->id.task);
    for (const auto& source : run->fmri.at(subject)) {
      digest.add(context_.fmri_digests.at(source.file.string())).add(source.dataset);
    }
  }
  return digest.hex();
}

std::string Digests::statistics(const SpaceConfig& space, int subject) const {
  Digest digest;
  digest.add(statistics_version).add(pca_fit(space)).add(features(space, context_.of(context_.split.base)));
  return digest.add(responses(context_.split.base, subject)).hex();
}

std::string Digests::ridge(const SpaceConfig& space, int subject) const {
  const auto& options = config_.experiment.ridge;
  Digest digest;
  digest.add(ridge_version).add(pca_fit(space)).add(features(space, context_.of(context_.split.base)));
  digest.add(responses(context_.split.base, subject));
  digest.add(static_cast<std::int64_t>(space.design.edge()));
  for (const Index delay : space.design.delays()) digest.add(std::int64_t{delay});
  for (const double alpha : options.alphas) digest.add(alpha);
  return digest.add(options.criterion).add(options.measure).add(std::int64_t{options.per_target}).hex();
}

std::string Digests::stack(int subject) const {
  Digest digest;
  digest.add(stack_version)
      .add(config_.experiment.stack.method)
      .add(responses(context_.split.stack, subject));
  for (const auto& space : config_.experiment.spaces) {
    digest.add(space.name).add(ridge(space, subject)).add(features(space, context_.of(context_.split.stack)));
  }
  // Weights are refitted for the sets of models that test runs lack.
  for (const auto& space : config_.experiment.spaces) {
    for (const auto& task : context_.split.test) {
      digest.add(std::int64_t{features_.at(space.name).at(task).rows == 0});
    }
  }
  return digest.hex();
}

std::string Digests::predictions(int subject) const {
  Digest digest;
  digest.add(predictions_version).add(stack(subject));
  for (const auto& task : context_.split.test)
    digest.add(task).add(std::int64_t{context_.run(task).rows(subject)});
  return digest.hex();
}

std::string Digests::scores() const {
  Digest digest;
  const auto& significance = config_.experiment.significance;
  digest.add(scores_version).add(std::int64_t{significance.permutations});
  digest.add(std::int64_t{significance.block_tr}).add(static_cast<std::int64_t>(significance.seed));
  for (const int subject : context_.catalogue.subjects) {
    digest.add(predictions(subject)).add(responses(context_.split.test, subject));
  }
  return digest.hex();
}

std::string Digests::sweep() const {
  const auto& sweep = config_.experiment.sweep.value();
  const auto& ridge = config_.experiment.ridge;
  Digest digest;
  const auto add = [&](const std::vector<Index>& values) {
    digest.add(static_cast<std::int64_t>(values.size()));
    for (const Index value : values) digest.add(std::int64_t{value});
  };
  digest.add(sweep_version).add(ridge.measure).add(std::int64_t{ridge.per_target});
  for (const double alpha : ridge.alphas) digest.add(alpha);
  digest.add(static_cast<std::int64_t>(sweep.folds.by)).add(std::int64_t{sweep.folds.count});
  for (const auto* values : {&sweep.components, &sweep.delay, &sweep.window}) add(*values);
  for (const auto& delays : sweep.delays) add(delays);
  for (const auto& space : config_.experiment.spaces) {
    if (!sweep.takes(space.name)) continue;
    digest.add(space.name).add(pca_fit(space)).add(features(space, context_.of(context_.split.base)));
    digest.add(static_cast<std::int64_t>(space.design.edge()));
    add(space.design.delays());
  }
  for (const int subject : context_.catalogue.subjects) {
    digest.add(std::int64_t{subject}).add(responses(context_.split.base, subject));
  }
  return digest.hex();
}

std::string Digests::partition(int subject) const {
  const auto& ridge = config_.experiment.ridge;
  Digest digest;
  digest.add(partition_version).add(std::int64_t{ridge.per_target});
  for (const double alpha : ridge.alphas) digest.add(alpha);
  for (const auto* role : {&context_.split.base, &context_.split.stack, &context_.split.test}) {
    digest.add(responses(*role, subject));
  }
  for (const auto& space : config_.experiment.spaces) {
    digest.add(space.name).add(pca(space)).add(static_cast<std::int64_t>(space.design.edge()));
    for (const Index delay : space.design.delays()) digest.add(std::int64_t{delay});
  }
  return digest.hex();
}

void require_current(const std::filesystem::path& file, const std::string& digest, const std::string& verb,
                     const parallel::Communicator& comm) {
  parallel::agree(comm, [&] {
    if (!comm.root()) return;
    const auto there = stored_digest(file);
    if (there == digest) return;
    throw InputError(fmt::format("{}: {}; run `cinecortex {}` with this experiment first", file.string(),
                                 there.empty() ? "not there yet" : "made from other inputs or settings",
                                 verb));
  });
}

}  // namespace cinecortex::stages
