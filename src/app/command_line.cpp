#include "cinecortex/app/command_line.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "cinecortex/core/error.hpp"
#include "cinecortex/core/memory.hpp"
#include "verbs.hpp"

namespace cinecortex::app {
namespace {

namespace po = boost::program_options;
namespace matrices = stages::matrices;

constexpr const char* experiment_key = "experiment";

/// The options given with a verb, typed and required with one wording.
class Options {
 public:
  Options(po::variables_map values, const Verb& verb) : values_(std::move(values)), verb_(verb) {}

  bool has(const std::string& name) const { return values_.count(name) > 0; }

  std::string text(const std::string& name, const std::string& fallback = "") const {
    return has(name) ? values_[name].as<std::string>() : fallback;
  }

  std::vector<std::string> texts(const std::string& name) const {
    return has(name) ? values_[name].as<std::vector<std::string>>() : std::vector<std::string>{};
  }

  std::string required(const std::string& name) const {
    require(name);
    return text(name);
  }

  void require(const std::string& name) const {
    if (has(name)) return;
    throw InputError(
        fmt::format("cinecortex {} without an experiment file needs --{}; usage: cinecortex {} {}",
                    verb_.name, name, verb_.name, verb_.matrices));
  }

  Index integer(const std::string& name, Index fallback, Index least,
                Index most = std::numeric_limits<Index>::max()) const {
    if (!has(name)) return fallback;
    const std::string given = text(name);
    Index value = 0;
    const auto [end, error] = std::from_chars(given.data(), given.data() + given.size(), value);
    if (error != std::errc() || end != given.data() + given.size() || value < least || value > most) {
      throw InputError(
          fmt::format("--{} {}: must be an integer of at least {}{}", name, given, least,
                      most < std::numeric_limits<Index>::max() ? fmt::format(" and at most {}", most) : ""));
    }
    return value;
  }

  double positive(const std::string& name, double fallback) const {
    if (!has(name)) return fallback;
    const double value = to_number(name, text(name));
    if (value <= 0) throw InputError(fmt::format("--{} {}: must be a number above 0", name, text(name)));
    return value;
  }

  std::vector<double> numbers(const std::string& name) const {
    std::vector<double> values;
    const std::string given = text(name);
    for (std::size_t begin = 0; begin <= given.size();) {
      const std::size_t end = std::min(given.find(',', begin), given.size());
      values.push_back(to_number(name, given.substr(begin, end - begin)));
      begin = end + 1;
    }
    return values;
  }

  std::string list_place(const std::string& name) const { return fmt::format("--{} {}", name, text(name)); }

 private:
  double to_number(const std::string& name, const std::string& word) const {
    char* end = nullptr;
    const double value = std::strtod(word.c_str(), &end);
    if (word.empty() || *end != '\0' || !std::isfinite(value)) {
      throw InputError(fmt::format("--{} {}: \"{}\" is not a number", name, text(name), word));
    }
    return value;
  }

  po::variables_map values_;
  const Verb& verb_;
};

std::string quote(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + '"';
}

/// Settings for the tables that a verb's kernels take: --set, and its own options.
class Settings {
 public:
  explicit Settings(const Options& options) : options_(options) {
    for (const auto& text : options.texts("set")) settings_.push_back(parse_setting(text));
  }

  /// An option that may be a number or a word, read as TOML.
  Settings& value(const std::string& name, const std::string& key) {
    if (options_.has(name)) add(name, key, options_.text(name));
    return *this;
  }
  /// An option that is a text whatever it looks like.
  Settings& text(const std::string& name, const std::string& key) {
    if (options_.has(name)) add(name, key, quote(options_.text(name)));
    return *this;
  }
  Settings& list(const std::string& name, const std::string& key) {
    if (!options_.has(name)) return *this;
    std::string value;
    for (const double number : options_.numbers(name))
      value += fmt::format("{}{}", value.empty() ? "[" : ",", number);
    add(name, key, value + "]");
    return *this;
  }
  /// A fixed value, if the option is there.
  Settings& fixed(const std::string& name, const std::string& key, const std::string& value) {
    if (options_.has(name)) add(name, key, value);
    return *this;
  }

  const std::vector<Setting>& all() const { return settings_; }
  /// How a key was given.
  std::string place(const std::string& key) const {
    std::string place;
    for (const auto& setting : settings_) {
      if (setting.key == key) place = setting.place;
    }
    return place;
  }

 private:
  void add(const std::string& name, const std::string& key, const std::string& value) {
    const std::string given = options_.text(name);
    const std::string option = given.empty() ? "--" + name : "--" + name + " " + given;
    if (const auto twice = place(key); !twice.empty()) {
      throw InputError(fmt::format("{} and {} say the same thing: give one of them", option, twice));
    }
    settings_.push_back({key, value, option});
  }

  const Options& options_;
  std::vector<Setting> settings_;
};

matrices::PcaConfig pca_job(const Options& options, matrices::Handling handling) {
  Settings settings(options);
  settings.value("components", "components").text("solver", "solver").value("fit-every", "fit_every");
  // A run is a group of rows here, so the scale "per-run" is called by that name too.
  settings.fixed("scale", "scale",
                 quote(options.text("scale") == "groups" ? "per-run" : options.text("scale")));
  matrices::PcaConfig config{.x = options.required("x"),
                             .options = pca_options(settings.all()),
                             .groups = options.text("groups"),
                             .output = options.required("output"),
                             .handling = handling};
  if (config.options.scale == encoding::Scale::per_run && config.groups.empty()) {
    throw InputError(fmt::format("{}: needs --groups, the labels of runs", settings.place("scale")));
  }
  return config;
}

matrices::RidgeConfig ridge_job(const Options& options, matrices::Handling handling) {
  Settings settings(options);
  settings.list("alphas", "alphas")
      .text("criterion", "criterion")
      .fixed("shared-alpha", "per_target", "false");
  settings.list("delays", "delays").text("edge", "edge");
  const auto read = matrix_ridge(settings.all());
  return {.x = options.required("x"),
          .y = options.required("y"),
          .groups = options.text("groups"),
          .options = read.options,
          .design = read.design,
          .output = options.required("output"),
          .handling = handling};
}

matrices::SweepConfig sweep_job(const Options& options, matrices::Handling handling) {
  Settings settings(options);
  settings.list("alphas", "alphas").fixed("shared-alpha", "per_target", "false");
  // Without a delay a design row is the feature row of the same TR.
  auto [sweep, edge, ridge] = matrix_sweep(settings.all());
  return {.x = options.required("x"),
          .y = options.required("y"),
          .groups = options.text("groups"),
          .sweep = std::move(sweep),
          .edge = edge,
          .options = {.alphas = ridge.alphas, .measure = ridge.measure, .per_target = ridge.per_target},
          .output = options.required("output"),
          .handling = handling};
}

/// --part I/N or --merge N; neither: everything.
stages::SweepPart sweep_part(const Options& options) {
  if (options.has("part") && options.has("merge")) {
    throw InputError(
        "--part and --merge: the first makes a part, the second puts parts together; give one of them");
  }
  constexpr Index many = 1'000'000;
  if (options.has("merge")) return {0, options.integer("merge", 0, 1, many)};
  if (!options.has("part")) return {};
  const std::string given = options.text("part");
  const std::size_t slash = given.find('/');
  stages::SweepPart part;
  const auto read = [](std::string_view digits, Index& value) {
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return error == std::errc() && end == digits.data() + digits.size();
  };
  if (slash == std::string::npos || !read(std::string_view(given).substr(0, slash), part.part) ||
      !read(std::string_view(given).substr(slash + 1), part.parts) || part.part < 1 ||
      part.part > part.parts || part.parts > many) {
    throw InputError(fmt::format("--part {}: must be I/N with I from 1 to N, e.g. 3/8", given));
  }
  return part;
}

matrices::StackConfig stack_job(const Options& options, matrices::Handling handling) {
  Settings settings(options);
  settings.text("method", "method");
  options.require("prediction");
  return {.y = options.required("y"),
          .groups = options.text("groups"),
          .predictions = options.texts("prediction"),
          .method = stack_method(settings.all()),
          .output = options.required("output"),
          .handling = handling};
}

matrices::ScoreConfig score_job(const Options& options, matrices::Handling handling) {
  Settings settings(options);
  settings.value("permutations", "permutations").value("block-tr", "block_tr");
  return {.y = options.required("y"),
          .prediction = options.required("prediction"),
          .groups = options.text("groups"),
          .significance = significance_options(settings.all()),
          .output = options.text("output"),
          .handling = handling};
}

void refuse_settings(const Options& options, const Verb& verb) {
  if (!options.has("set")) return;
  throw InputError(fmt::format("--set {}: cinecortex {} without an experiment file has no keys to set",
                               options.texts("set").front(), verb.name));
}

matrices::ExtractConfig extract_job(const Options& options, matrices::Handling handling) {
  Settings settings(options);
  settings.text("weights", "weights").text("model", "model");
  options.require("model");
  if (options.has("movie") && options.has("audio")) {
    throw InputError("--movie and --audio: give one of them (a movie brings its own sound)");
  }
  matrices::ExtractConfig config{.model = model_config(settings.all()),
                                 .movie = options.text("movie"),
                                 .audio = options.text("audio"),
                                 .transcript = options.text("transcript"),
                                 .reading = options.text("reading"),
                                 .output = options.required("output"),
                                 .runtime = {},
                                 .handling = handling};
  if (config.movie.empty() && config.audio.empty() && config.transcript.empty()) {
    throw InputError("cinecortex extract without an experiment file needs --movie, --audio or --transcript");
  }
  config.model.tr_s = options.positive("tr", 1.49);
  return config;
}

stages::SynthConfig synth_job(const Options& options) {
  stages::SynthConfig config;
  config.root = options.required("output");
  config.seed = static_cast<std::uint64_t>(options.integer("seed", static_cast<Index>(config.seed), 0));
  if (options.has("subjects")) {
    config.subjects.clear();
    for (const double subject : options.numbers("subjects")) {
      if (subject != std::floor(subject) || subject < 1 || subject > 99) {
        throw InputError(
            fmt::format("{}: a subject is a number from 1 to 99", options.list_place("subjects")));
      }
      config.subjects.push_back(static_cast<int>(subject));
    }
  }
  constexpr Index many = 1'000'000;
  config.parcels = options.integer("parcels", config.parcels, 1, many);
  config.run_tr = options.integer("run-tr", config.run_tr, 20, many);
  config.runs_per_season = options.integer("runs-per-season", config.runs_per_season, 1, 99);
  config.runs_per_movie = options.integer("runs-per-movie", config.runs_per_movie, 1, 99);
  config.width = static_cast<int>(options.integer("width", config.width, 16, 8192));
  config.height = static_cast<int>(options.integer("height", config.height, 16, 8192));
  config.frame_rate_hz = options.positive("frame-rate", config.frame_rate_hz);
  config.tr_s = options.positive("tr", config.tr_s);
  config.signal_to_noise = options.positive("signal-to-noise", config.signal_to_noise);
  return config;
}

Job job_without_experiment(const Verb& verb, const Options& options, matrices::Handling handling) {
  if (verb.name == "pca") return pca_job(options, handling);
  if (verb.name == "ridge") return ridge_job(options, handling);
  if (verb.name == "sweep") return sweep_job(options, handling);
  if (verb.name == "stack") return stack_job(options, handling);
  if (verb.name == "extract") return extract_job(options, handling);
  if (verb.name == "score") return score_job(options, handling);
  refuse_settings(options, verb);
  if (verb.name == "predict") {
    return matrices::PredictConfig{.model = options.required("model"),
                                   .x = options.required("x"),
                                   .groups = options.text("groups"),
                                   .output = options.required("output"),
                                   .handling = handling};
  }
  if (verb.name == "synth") return synth_job(options);
  throw InputError(fmt::format("cinecortex {} needs an experiment file: cinecortex {} EXPERIMENT.toml",
                               verb.name, verb.name));
}

std::vector<std::string> option_names(const po::options_description& options) {
  std::vector<std::string> names;
  for (const auto& option : options.options()) {
    if (option->long_name() != experiment_key) names.push_back("--" + option->long_name());
  }
  return names;
}

po::variables_map parse(const std::vector<std::string>& arguments, const Verb& verb) {
  po::options_description all;
  all.add(experiment_options(verb)).add(matrix_options(verb)).add(common_options());
  const auto names = option_names(all);
  all.add_options()(experiment_key, po::value<std::vector<std::string>>());
  po::positional_options_description positional;
  positional.add(experiment_key, -1);
  try {
    using namespace po::command_line_style;
    po::variables_map values;
    // Abbreviated options would change their meaning whenever an option is added.
    po::store(po::command_line_parser(arguments)
                  .options(all)
                  .positional(positional)
                  .style(unix_style & ~allow_guessing)
                  .run(),
              values);
    return values;
  } catch (const po::unknown_option& e) {
    const std::string name = e.get_option_name();
    const std::string close = closest_name(name, names);
    throw InputError(fmt::format("cinecortex {} has no option {}{}; options are {}", verb.name, name,
                                 close.empty() ? "" : fmt::format(" (did you mean {}?)", close),
                                 fmt::join(names, ", ")));
  } catch (const po::error& e) {
    throw InputError(fmt::format("{}; see cinecortex {} --help", e.what(), verb.name));
  }
}

/// The first option given that only works without an experiment file, or "".
std::string first_matrix_option(const Options& options, const Verb& verb) {
  const auto described = matrix_options(verb);
  for (const auto& option : described.options()) {
    if (options.has(option->long_name())) return "--" + option->long_name();
  }
  return "";
}

Job find_job(const Verb& verb, const Options& options, const std::vector<std::string>& files,
             matrices::Handling handling) {
  if (files.size() > 1) {
    throw InputError(fmt::format("cinecortex {}: one experiment file at a time, but {} were given: {}",
                                 verb.name, files.size(), fmt::join(files, " ")));
  }
  if (files.empty()) {
    if (verb.experiment && first_matrix_option(options, verb).empty()) {
      throw InputError(fmt::format("cinecortex {} needs an experiment file{}; see cinecortex {} --help",
                                   verb.name, verb.matrices.empty() ? "" : ", or " + verb.matrices,
                                   verb.name));
    }
    const auto of_experiments = experiment_options(verb);
    for (const auto& option : of_experiments.options()) {
      if (!options.has(option->long_name())) continue;
      throw InputError(fmt::format("--{} {}: this is for a sweep on an experiment file", option->long_name(),
                                   options.text(option->long_name())));
    }
    return job_without_experiment(verb, options, handling);
  }
  if (!verb.experiment) {
    throw InputError(
        fmt::format("cinecortex {} takes no experiment file, but \"{}\" was given", verb.name, files[0]));
  }
  if (const auto option = first_matrix_option(options, verb); !option.empty()) {
    throw InputError(
        fmt::format("{} is for work without an experiment file, but {} was given as well: give one of the "
                    "two (keys of the experiment are replaced with --set)",
                    option, files[0]));
  }
  ExperimentJob job{.file = files[0], .settings = {}, .sweep_part = sweep_part(options)};
  for (const auto& text : options.texts("set")) job.settings.push_back(parse_setting(text));
  return job;
}

std::int64_t parse_memory(const std::string& text) {
  try {
    return parse_bytes(text);
  } catch (const InputError& e) {
    throw InputError(fmt::format("--memory: {}", e.what()));
  }
}

std::string check_device(const std::string& device) {
  const bool numbered = device.starts_with("cuda:") && device.size() > 5 &&
                        device.find_first_not_of("0123456789", 5) == std::string::npos;
  if (device == "auto" || device == "cpu" || device == "cuda" || numbered) return device;
  throw InputError(fmt::format("--device {}: allowed are auto, cpu, cuda, cuda:N", device));
}

}  // namespace

Command parse_command_line(const std::vector<std::string>& arguments) {
  Command command;
  if (arguments.empty() || arguments[0] == "--help" || arguments[0] == "-h" || arguments[0] == "help") {
    command.job = ShowHelp{arguments.size() > 1 ? help(find_verb(arguments[1])) : help()};
    return command;
  }
  if (arguments[0] == "--version") {
    command.job = ShowVersion{};
    return command;
  }
  if (arguments[0].starts_with("-")) {
    throw InputError(
        fmt::format("the verb comes first, but \"{}\" was given; see cinecortex --help", arguments[0]));
  }
  const Verb& verb = find_verb(arguments[0]);
  command.verb = verb.name;
  const auto values = parse({arguments.begin() + 1, arguments.end()}, verb);
  const Options options(values, verb);
  if (options.has("help")) {
    command.job = ShowHelp{help(verb)};
    return command;
  }
  if (options.has("version")) {
    command.job = ShowVersion{};
    return command;
  }
  if (options.has("threads")) command.threads = static_cast<int>(options.integer("threads", 1, 1, 4096));
  if (options.has("memory")) command.memory_bytes = parse_memory(options.text("memory", ""));
  command.device = check_device(options.text("device", "auto"));
  command.log_level = log::parse_level(options.text("log-level", "info"));
  command.json = options.has("json");
  command.dry_run = options.has("dry-run");
  command.force = options.has("force");
  command.job = find_job(verb, options, options.texts(experiment_key),
                         {.force = command.force, .dry_run = command.dry_run});
  return command;
}

}  // namespace cinecortex::app
