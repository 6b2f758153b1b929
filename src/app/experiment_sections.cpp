#include "experiment_sections.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "cinecortex/core/error.hpp"
#include "cinecortex/encoding/stacking.hpp"

namespace cinecortex::app {
namespace {

/// A kernel's own check knows no file: its words are put behind the key that they are about.
template <class Fn>
auto checked(const Section& section, const std::string& key, Fn fn) {
  try {
    return fn();
  } catch (const InputError& e) {
    section.fail(key, e.what());
  }
}

const models::ModelInfo& find_model(const std::string& name) {
  const auto& models = models::model_catalogue();
  return *std::find_if(models.begin(), models.end(), [&](const auto& info) { return info.name == name; });
}

std::vector<std::string> model_names() {
  std::vector<std::string> names;
  for (const auto& info : models::model_catalogue()) names.push_back(info.name);
  return names;
}

}  // namespace

encoding::RidgeOptions read_ridge(Section& section) {
  encoding::RidgeOptions options;
  options.criterion = section.text("criterion", options.criterion, "");
  // The grid is checked apart from the criterion, so that each complaint stands behind its own key.
  options.alphas = {1.0};
  checked(section, "criterion", [&] { encoding::check(options); });
  options.alphas = section.numbers("alphas", encoding::default_alphas());
  checked(section, "alphas", [&] { encoding::check(options); });
  options.per_target = section.flag("per_target", true);
  return options;
}

encoding::PcaOptions read_pca_options(Section& section, Index default_fit_every) {
  encoding::PcaOptions options;
  options.components = section.count_or_all("components");
  options.scale = encoding::parse_scale(section.choice("scale", "global", {"none", "global", "per-run"}));
  options.fit_every = section.integer("fit_every", default_fit_every, 1);
  options.solver = encoding::parse_pca_solver(
      section.choice("solver", "auto", {"auto", "covariance", "dual", "randomized"}));
  return options;
}

stages::StackConfig read_stack(Section& section) {
  return {.method = section.choice("method", "simplex", encoding::stacking_methods())};
}

encoding::SignificanceOptions read_score(Section& section) {
  constexpr Index many = 10'000'000;
  encoding::SignificanceOptions options;
  options.permutations = section.integer("permutations", options.permutations, 0, many);
  options.block_tr = section.integer("block_tr", options.block_tr, 1, many);
  return options;
}

models::ModelConfig read_model(Section& section) {
  models::ModelConfig config;
  config.model = section.choice("model", std::nullopt, model_names());
  const auto& info = find_model(config.model);
  config.weights = section.optional_text("weights");
  if (info.needs_weights && config.weights.empty()) {
    section.fail_missing("weights", fmt::format("the model {} is read from a file or folder", info.name));
  }
  if (!info.needs_weights && !config.weights.empty()) {
    section.fail("weights", fmt::format("the model {} has no weights", info.name));
  }
  for (const auto& option : info.options) {
    const models::Option value = section.option(option);
    config.options[option.name] =
        checked(section, option.name, [&] { return models::checked_option(option, value); });
  }
  return config;
}

encoding::Design read_design(Section& section) {
  const bool fir = section.has("delays");
  for (const std::string key : {"delay", "window"}) {
    if (fir && section.has(key)) section.fail(key, "give either delays, or delay and window");
  }
  // A window can be shifted to where it fits; a set of delays with gaps cannot.
  const auto edge =
      encoding::parse_edge(section.choice("edge", fir ? "zero" : "shift", {"shift", "zero", "drop"}));
  if (!fir) {
    constexpr Index longest = 100000;
    const Index delay = section.integer("delay", 3, -longest, longest);
    const Index window = section.integer("window", 3, 1, longest);
    return encoding::Design::shifted_window(delay, window, edge);
  }
  const auto delays = section.integers("delays", {});
  if (delays.empty()) section.fail("delays", "must name at least one delay in TRs");
  return checked(section, "delays", [&] { return encoding::Design::fir(delays, edge); });
}

}  // namespace cinecortex::app
