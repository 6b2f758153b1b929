#include "cinecortex/app/experiment_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <sstream>

#include "cinecortex/core/error.hpp"
#include "experiment_sections.hpp"

namespace cinecortex::app {
namespace {

bool is_plain_name(const std::string& name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::isalnum(c) || c == '_' || c == '-';
  });
}

/// Reads a table of the top level into the resolved experiment.
template <class Read>
auto read_table(Section& top, const std::string& key, const std::string& place, Read read) {
  Section section(top.table(key), "[" + key + "]", place);
  auto result = read(section);
  section.refuse_unknown();
  top.resolved.insert_or_assign(key, std::move(section.resolved));
  return result;
}

stages::DataConfig read_data(Section& section) {
  stages::DataConfig data;
  data.root = section.text("root", std::nullopt, "the folder of the data set");
  if (data.root.empty()) section.fail("root", "must name the folder of the data set");

  const auto subjects = section.integers("subjects", {1, 2, 3, 5});
  data.subjects.clear();
  std::set<Index> seen;
  for (const Index subject : subjects) {
    if (subject < 1 || subject > 999) section.fail("subjects", "a subject is a number from 1 to 999");
    if (!seen.insert(subject).second)
      section.fail("subjects", fmt::format("subject {} is named twice", subject));
    data.subjects.push_back(static_cast<int>(subject));
  }
  if (data.subjects.empty()) section.fail("subjects", "must name at least one subject");

  data.tr_s = section.number("tr_s", 1.49);
  if (!std::isfinite(data.tr_s) || data.tr_s <= 0) section.fail("tr_s", "must be a time in seconds above 0");

  const auto trim = section.integers("trim_tr", {5, 5});
  if (trim.size() != 2 || trim[0] < 0 || trim[1] < 0) {
    section.fail("trim_tr",
                 "must be two integers of at least 0: TRs dropped at the start and the end of a run");
  }
  data.trim_tr = {trim[0], trim[1]};
  data.repeats = dataset::parse_repeats(section.choice("repeats", "average", {"average", "keep"}));
  data.tolerance_tr = section.integer("tolerance_tr", 10, 0);
  return data;
}

stages::SplitConfig read_split(Section& section) {
  const std::string meaning = "selectors such as friends:1-4,6";
  stages::SplitConfig split;
  split.base = section.text("base", "friends:1-4,6 movie10:figures", meaning);
  split.stack = section.text("stack", "friends:5 movie10:bourne,wolf", meaning);
  split.test = section.text("test", "friends:7 ood:*", meaning);
  split.allow_leak = section.flag("allow_leak", false);
  return split;
}

stages::PcaConfig read_pca(Section& section) {
  stages::PcaConfig pca;
  pca.options = read_pca_options(section, 5);
  pca.fit_all = section.choice("fit", "base", {"base", "all"}) == "all";
  return pca;
}

stages::SpaceConfig read_space(Section& section, const std::string& title, const std::string& place) {
  stages::SpaceConfig space;
  space.name = section.text("name", std::nullopt, "the space's name, e.g. \"whisper\"");
  if (!is_plain_name(space.name)) section.fail("name", "must consist of letters, digits, _ and -");
  if (space.name == "stacked") section.fail("name", "this is the name of the stacked model in every output");
  space.model = read_model(section);
  space.reading = section.optional_text("reading");
  space.design = read_design(section);

  Section pca(section.table("pca"), title + " pca:", place);
  space.pca = read_pca(pca);
  pca.refuse_unknown();
  section.resolved.insert_or_assign("pca", std::move(pca.resolved));
  section.refuse_unknown();
  return space;
}

/// The [[space]] tables, with the place of each for messages.
std::vector<const toml::table*> space_tables(const toml::table& root, const std::string& place) {
  const toml::node* node = root.get("space");
  if (!node) {
    throw InputError(
        fmt::format("{}: there is no [[space]]: an experiment needs at least one feature space", place));
  }
  std::vector<const toml::table*> tables;
  if (const auto* array = node->as_array()) {
    for (const auto& entry : *array) {
      if (entry.is_table()) tables.push_back(entry.as_table());
    }
    if (tables.size() == array->size() && !tables.empty()) return tables;
  }
  throw InputError(fmt::format("{}: space must be written as [[space]] tables", place_of(node->source())));
}

std::vector<stages::SpaceConfig> read_spaces(Section& top, const toml::table& root,
                                             const std::string& place) {
  std::vector<stages::SpaceConfig> spaces;
  std::map<std::string, std::string> places;
  toml::array resolved;
  for (const auto* table : space_tables(root, place)) {
    const std::string where = place_of(table->source());
    Section section(table, "[[space]]", where);
    spaces.push_back(read_space(section, "[[space]]", where));
    const auto [first, fresh] = places.emplace(spaces.back().name, where);
    if (!fresh) section.fail("name", fmt::format("this name is taken by the space at {}", first->second));
    resolved.push_back(std::move(section.resolved));
  }
  top.resolved.insert_or_assign("space", std::move(resolved));
  return spaces;
}

void read_output(Section& section, stages::Experiment& experiment) {
  experiment.output = section.text("dir", "out/" + experiment.name, "the folder for all outputs");
  if (experiment.output.empty()) section.fail("dir", "must name a folder");
  experiment.features =
      section.text("features", (experiment.output / "features").string(), "the folder for features");
  if (experiment.features.empty()) section.fail("features", "must name a folder");
  using Policy = stages::StatisticsPolicy;
  const auto policy = section.choice("statistics", "auto", {"auto", "keep", "none"});
  experiment.statistics = policy == "auto"   ? Policy::automatic
                          : policy == "keep" ? Policy::keep
                                             : Policy::none;
}

std::string to_text(const toml::table& table) {
  std::ostringstream text;
  text << table << '\n';
  return text.str();
}

/// An experiment's text with what a sweep chose. It writes beside the experiment, whose components and fits stay as they
/// are, and takes its features from there.
std::string with_choices(const std::string& resolved, const std::vector<stages::SpaceChoice>& choices) {
  toml::table root = parse_toml(resolved, "experiment");
  root.erase("sweep");
  toml::table& output = *root["output"].as_table();
  output.insert_or_assign("dir", output["dir"].value_or(std::string()) + "-best");
  for (auto& entry : *root["space"].as_array()) {
    toml::table& space = *entry.as_table();
    const auto name = space["name"].value<std::string>();
    const auto choice =
        std::find_if(choices.begin(), choices.end(), [&](const auto& c) { return c.space == name; });
    if (choice == choices.end()) continue;
    space["pca"].as_table()->insert_or_assign("components", std::int64_t{choice->components});
    const auto& delays = choice->design.delays();
    for (const char* key : {"delay", "window", "delays"}) space.erase(key);
    if (choice->windowed) {
      space.insert_or_assign("delay", std::int64_t{delays.back()});
      space.insert_or_assign("window", static_cast<std::int64_t>(delays.size()));
    } else {
      toml::array list;
      for (const Index delay : delays) list.push_back(std::int64_t{delay});
      space.insert_or_assign("delays", std::move(list));
    }
  }
  return "# Written by cinecortex sweep: the best configuration of each space that it tried.\n" +
         to_text(root);
}

stages::Experiment read_root(toml::table& root, const std::string& place,
                             const std::vector<Setting>& settings) {
  for (const auto& setting : settings) apply_setting(root, setting);

  Section top(&root, "", place);
  stages::Experiment experiment;
  experiment.name = top.text("name", std::filesystem::path(place).stem().string(), "");
  experiment.seed = static_cast<std::uint64_t>(top.integer("seed", 1004, 0));
  experiment.data = read_table(top, "data", place, read_data);
  experiment.split = read_table(top, "split", place, read_split);
  experiment.ridge = read_table(top, "ridge", place, read_ridge);
  experiment.stack = read_table(top, "stack", place, read_stack);
  experiment.significance = read_table(top, "score", place, read_score);
  experiment.significance.seed = experiment.seed;
  read_table(top, "output", place, [&](Section& section) {
    read_output(section, experiment);
    return true;
  });
  top.declare("space");
  top.declare("sweep");
  top.refuse_unknown();
  experiment.spaces = read_spaces(top, root, place);
  for (auto& space : experiment.spaces) {
    space.model.tr_s = experiment.data.tr_s;
    space.pca.options.seed = experiment.seed;
  }
  if (root.contains("sweep")) {
    std::vector<std::string> names;
    for (const auto& space : experiment.spaces) names.push_back(space.name);
    experiment.sweep =
        read_table(top, "sweep", place, [&](Section& section) { return read_sweep(section, names); });
  }
  experiment.resolved = to_text(top.resolved);
  experiment.with_choices = [resolved =
                                 experiment.resolved](const std::vector<stages::SpaceChoice>& choices) {
    return with_choices(resolved, choices);
  };
  return experiment;
}

}  // namespace

stages::Experiment parse_experiment(std::string_view text, const std::string& place,
                                    const std::vector<Setting>& settings) {
  toml::table root = parse_toml(text, place);
  return read_root(root, place, settings);
}

stages::Experiment read_experiment(const std::filesystem::path& file, const std::vector<Setting>& settings) {
  std::ifstream stream(file, std::ios::binary);
  if (!stream || std::filesystem::is_directory(file)) {
    throw InputError(fmt::format(
        "{}: the experiment file cannot be read: {}", file.string(),
        std::filesystem::exists(file) ? "no permission, or not a file" : "there is no such file"));
  }
  const std::string text(std::istreambuf_iterator<char>(stream), {});
  return parse_experiment(text, file.string(), settings);
}

}  // namespace cinecortex::app
