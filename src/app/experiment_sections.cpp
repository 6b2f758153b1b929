#include "experiment_sections.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <limits>

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

encoding::RidgeOptions read_alphas(Section& section) {
  encoding::RidgeOptions options;
  options.alphas = section.numbers("alphas", encoding::default_alphas());
  checked(section, "alphas", [&] { encoding::check(options); });
  options.per_target = section.flag("per_target", true);
  options.measure = section.choice("measure", "r2", {"r2", "r"});
  return options;
}

encoding::RidgeOptions read_ridge(Section& section) {
  auto options = read_alphas(section);
  options.criterion = section.text("criterion", options.criterion, "");
  checked(section, "criterion", [&] { encoding::check(options); });
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

namespace {

/// A list of different integers; empty if it is not given.
std::vector<Index> different(Section& section, const std::string& key, Index least, Index most) {
  if (!section.has(key)) return {};
  const auto values = section.integers(key, {});
  if (values.empty())
    section.fail(key, "must name at least one value; leave the key out for the space's own");
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i] < least || values[i] > most) {
      section.fail(key, fmt::format("{} must lie between {} and {}", values[i], least, most));
    }
    if (std::find(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(i), values[i]) !=
        values.begin() + static_cast<std::ptrdiff_t>(i)) {
      section.fail(key, fmt::format("{} is there twice", values[i]));
    }
  }
  return values;
}

std::vector<std::vector<Index>> delay_sets(Section& section) {
  std::vector<std::vector<Index>> sorted;
  for (const auto& delays : section.integer_lists("delays")) {
    const auto set = checked(section, "delays",
                             [&] { return encoding::Design::fir(delays, encoding::Edge::zero).delays(); });
    if (std::find(sorted.begin(), sorted.end(), set) != sorted.end()) {
      section.fail("delays", fmt::format("the set {} is there twice", fmt::join(delays, ", ")));
    }
    sorted.push_back(set);
  }
  return sorted;
}

stages::SweepFolds read_folds(Section& section, bool seasons) {
  using By = stages::SweepFolds::By;
  stages::SweepFolds folds;
  if (!section.has("folds")) return folds;
  if (seasons && section.word("folds")) {
    if (section.text("folds", std::nullopt, "") != "season") {
      section.fail("folds", "must be \"season\", or an integer of at least 2");
    }
    folds.by = By::season;
    return folds;
  }
  constexpr Index many = 100000;
  folds.by = By::contiguous;
  folds.count = section.integer("folds", folds.count, 2, many);
  return folds;
}

}  // namespace

stages::SweepConfig read_sweep(Section& section, const std::vector<std::string>& spaces) {
  constexpr Index longest = 100000;
  stages::SweepConfig sweep;
  for (const std::string key : {"delay", "window"}) {
    if (section.has("delays") && section.has(key))
      section.fail(key, "give either delays, or delay and window");
  }
  sweep.components = different(section, "components", 1, std::numeric_limits<Index>::max());
  sweep.delay = different(section, "delay", -longest, longest);
  sweep.window = different(section, "window", 1, longest);
  if (section.has("delays")) {
    sweep.delays = delay_sets(section);
    if (sweep.delays.empty()) section.fail("delays", "must hold at least one list of delays");
  }
  sweep.folds = read_folds(section, !spaces.empty());
  if (spaces.empty() || !section.has("spaces")) return sweep;
  sweep.spaces = section.texts("spaces", {});
  if (sweep.spaces.empty()) section.fail("spaces", "must name at least one space; leave the key out for all");
  for (const auto& name : sweep.spaces) {
    if (std::find(spaces.begin(), spaces.end(), name) == spaces.end()) {
      section.fail("spaces",
                   fmt::format("no space is named \"{}\"; there are {}", name, fmt::join(spaces, ", ")));
    }
  }
  return sweep;
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
