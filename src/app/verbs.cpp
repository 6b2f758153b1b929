#include "verbs.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <sstream>

#include "cinecortex/core/error.hpp"
#include "cinecortex/encoding/ridge.hpp"
#include "cinecortex/encoding/stacking.hpp"
#include "cinecortex/models/extractor.hpp"
#include "cinecortex/models/runtime.hpp"

namespace cinecortex::app {
namespace {

namespace po = boost::program_options;
constexpr unsigned line_width = 110;

/// What has to be said of a verb that this program does not have as a whole; "" for all others.
std::string lack(const std::string& verb) {
  if (!models::statistics_only()) return "";
  if (verb == "synth") return "not in this build";
  if (verb == "extract") return "this build only checks that they are there";
  return "";
}

std::string model_list() {
  std::string text = "Models:\n";
  for (const auto& model : models::model_catalogue()) {
    text += fmt::format("  {:<15} {}{}\n", model.name, model.help,
                        model.needs_weights ? " (needs --weights)" : "");
    for (const auto& option : model.options)
      text += fmt::format("    --set {}=…  {}\n", option.name, option.help);
  }
  return text;
}

}  // namespace

const std::vector<Verb>& verbs() {
  static const std::string rows =
      "Rows are TRs. --groups is a vector of labels, one a row: neighbours with the same label are one run.\n"
      "Matrices are .npy files or data sets in HDF5 (file.h5:/path).\n";
  static const std::vector<Verb> list{
      {"run", "Whole experiments", "all stages in order, then the table of results", true, "", ""},
      {"validate", "Whole experiments", "check every input and print the plan; changes nothing", true, "",
       ""},
      {"synth", "Whole experiments", "make a data set in the challenge's layout, with known truth", false,
       "--output DIR [--subjects 1,2,3,5] [--parcels N] …", "The same seed and sizes give the same data.\n"},
      {"extract", "Single stages", "movies, sound and transcripts to features", true,
       "--model M [--weights PATH] --movie FILE | --audio FILE [--transcript FILE.tsv] --output F.h5", ""},
      {"pca", "Single stages", "features to principal components", true,
       "--x X.npy [--components K] [--scale none|global|groups] --output P.h5", rows},
      {"ridge", "Single stages", "components to base models, an alpha per target", true,
       "--x X.npy --y Y.npy [--alphas 1,10,…] [--groups G.npy] [--delays 1,2,3] --output R.h5", rows},
      {"sweep", "Single stages", "try PCA sizes, delays and windows in one pass, and pick the best", true,
       "--x X.npy --y Y.npy [--groups G.npy] --set components=[…] --set delay=[…] --set window=[…] --output "
       "S.h5",
       "An experiment says what to try in its table [sweep]. On matrices the leading columns of X are the "
       "components;\n"
       "keys are components, delay and window (or delays, a list of lists), folds and edge.\n" +
           rows},
      {"stack", "Single stages", "base predictions to stacking weights", true,
       "--y Y.npy --prediction A.npy --prediction B.npy … [--method M] --output S.h5", rows},
      {"predict", "Single stages", "predictions of the test runs, and submission files", true,
       "--model R.h5 --x X.npy [--groups G.npy] --output P.npy", rows},
      {"partition", "Single stages", "explained variance that is one space's own, and what spaces share",
       true, "",
       "Fits every space alone, all together, and all but one or two, on the base runs, and compares their "
       "R² on the\n"
       "test runs that have fMRI (on the stack runs, if none has). Needs the outputs of pca; alphas are "
       "[ridge]'s.\n"},
      {"score", "Single stages", "correlation of predictions with responses", true,
       "--y Y.npy --prediction P.npy [--groups G.npy] [--permutations N] [--output S.csv]", rows},
  };
  return list;
}

const Verb& find_verb(const std::string& name) {
  std::vector<std::string> names;
  for (const auto& verb : verbs()) {
    if (verb.name == name) return verb;
    names.push_back(verb.name);
  }
  const std::string close = closest_name(name, names);
  throw InputError(fmt::format("there is no verb \"{}\"{}; verbs are {}", name,
                               close.empty() ? "" : fmt::format(" (did you mean \"{}\"?)", close),
                               fmt::join(names, ", ")));
}

po::options_description common_options() {
  po::options_description options("Options of every verb", line_width);
  auto add = options.add_options();
  add("set", po::value<std::vector<std::string>>()->composing()->value_name("KEY=VALUE"),
      "replace a key of the experiment, e.g. ridge.criterion=gcv or space.whisper.delay=4; without an "
      "experiment: a "
      "key of the verb's own table; may be repeated");
  add("threads", po::value<std::string>()->value_name("N"),
      "threads of a rank (default: the node's cores ÷ the ranks on it)");
  add("memory", po::value<std::string>()->value_name("SIZE"),
      "memory of all ranks of a node together, e.g. 2GiB (default: 80% of what is free)");
  add("device", po::value<std::string>()->value_name("auto|cpu|cuda"), "where networks run (default: auto)");
  add("dry-run", "check the inputs and say what would be done, then stop");
  add("force", "redo outputs that are there already");
  add("json", "print one JSON document on standard output instead of tables");
  add("log-level", po::value<std::string>()->value_name("LEVEL"),
      "debug, info, warning, error or off (default: info)");
  add("help,h", "this text");
  add("version", "version of the program and of the libraries under it");
  return options;
}

po::options_description experiment_options(const Verb& verb) {
  po::options_description options("Options with an experiment file", line_width);
  if (verb.name != "sweep") return options;
  auto add = options.add_options();
  add("part", po::value<std::string>()->value_name("I/N"),
      "do share I of N, counted from 1, for an array of jobs; whole spaces and subjects while there are "
      "enough");
  add("merge", po::value<std::string>()->value_name("N"), "put the results of N parts together");
  return options;
}

po::options_description matrix_options(const Verb& verb) {
  po::options_description options(verb.experiment ? "Options without an experiment file" : "Options",
                                  line_width);
  auto add = options.add_options();
  const auto text = [](const char* name) { return po::value<std::string>()->value_name(name); };
  const auto& name = verb.name;
  const bool pca = name == "pca", ridge = name == "ridge", stack = name == "stack";
  const bool sweep = name == "sweep";
  const bool predict = name == "predict", score = name == "score", extract = name == "extract";
  if (pca || ridge || sweep || predict) add("x", text("X"), "features, [rows, columns]");
  if (ridge || sweep || stack || score) add("y", text("Y"), "responses, [rows, targets]");
  if (stack) {
    add("prediction", po::value<std::vector<std::string>>()->composing()->value_name("P"),
        "one base model's predictions, [rows, targets]; repeat for every model");
  }
  if (score) {
    add("prediction", text("P"), "predictions, [rows, targets]");
    add("permutations", text("N"), "for the significance of r (default: 1000); 0: none");
    add("block-tr", text("N"), "rows that are permuted as one, about 15 s of them (default: 10)");
  }
  if (predict) add("model", text("R.h5"), "written by cinecortex ridge");
  if (pca || ridge || sweep || stack || predict || score) add("groups", text("G"), "labels of runs, [rows]");
  if (pca) {
    add("components", text("K"), "how many, or all (default)");
    add("scale", text("S"), "z-score before: none, global (default) or groups (each run by itself)");
    add("fit-every", text("N"), "fit on rows 0, N, 2N, … of every run (default: 1, all rows)");
    add("solver", text("S"), "auto (default), covariance, dual or randomized");
  }
  if (ridge || sweep) {
    add("alphas", text("A,B,..."), "regularisation strengths to choose from (default: 1e6 … 1e-5)");
    add("shared-alpha", "one alpha for all targets");
  }
  if (ridge) {
    add("criterion", text("C"),
        fmt::format("how to choose: {} (default: loo)", fmt::join(encoding::ridge_criteria(), ", ")).c_str());
    add("delays", text("D,E,..."),
        "design columns: the features of D, E, … TRs before (write --delays=-1,0 for later ones)");
    add("edge", text("E"), "rows whose delays reach over a run's edge: zero (default), shift or drop");
  }
  if (stack) {
    add("method", text("M"),
        fmt::format("{} (default: simplex)", fmt::join(encoding::stacking_methods(), ", ")).c_str());
  }
  if (extract) {
    add("model", text("M"), "the feature space's model, see below");
    add("weights", text("PATH"), "the model's weights");
    add("reading", text("NAME"), "which output, for models with several");
    add("movie", text("FILE"), "movie, with its sound");
    add("audio", text("FILE"), "sound alone");
    add("transcript", text("TSV"), "words per TR");
    add("tr", text("SECONDS"), "length of a TR (default: 1.49)");
  }
  if (name == "synth") {
    add("subjects", text("1,2,..."), "subjects (default: 1,2,3,5)");
    add("parcels", text("N"), "targets of a subject (default: 200)");
    add("run-tr", text("N"), "length of a run, give or take a few TRs (default: 100)");
    add("runs-per-season", text("N"), "runs of each Friends season (default: 4)");
    add("runs-per-movie", text("N"), "runs of each other movie (default: 2)");
    add("width", text("N"), "pixels (default: 192)");
    add("height", text("N"), "pixels (default: 108)");
    add("frame-rate", text("HZ"), "frames a second (default: 15)");
    add("tr", text("SECONDS"), "length of a TR (default: 1.49)");
    add("signal-to-noise", text("R"), "variance of signal over variance of noise (default: 1)");
    add("seed", text("N"), "of everything random (default: 1004)");
  }
  if (!verb.matrices.empty())
    add("output", text("PATH"), name == "synth" ? "the data set's folder" : "the file to write");
  return options;
}

std::string help() {
  std::string text =
      "cinecortex: from movies to predicted brain activity, on one core or many nodes\n\n"
      "Usage: [mpirun -n R] cinecortex VERB EXPERIMENT.toml [--set KEY=VALUE …] [OPTION …]\n"
      "       [mpirun -n R] cinecortex VERB --x X.npy … --output FILE\n";
  std::string group;
  for (const auto& verb : verbs()) {
    if (verb.group != group) text += fmt::format("\n{}\n", group = verb.group);
    const auto without = lack(verb.name);
    text +=
        fmt::format("  {:<9} {}{}\n", verb.name, verb.summary, without.empty() ? "" : " (" + without + ")");
  }
  if (models::statistics_only()) {
    text +=
        "\nThis program is built for statistics only, without libtorch and FFmpeg: features have to be there "
        "already.\n";
  }
  text +=
      "\nExamples\n"
      "  mpirun -n 4 cinecortex run configs/demo.toml\n"
      "  cinecortex ridge --x X.npy --y Y.npy --groups runs.npy --delays 2,3,4 --output ridge.h5\n\n"
      "cinecortex VERB --help lists a verb's options; cinecortex --version the libraries in use.\n";
  return text;
}

std::string help(const Verb& verb) {
  std::ostringstream text;
  text << "cinecortex " << verb.name << ": " << verb.summary << "\n\n";
  if (verb.experiment)
    text << "Usage: cinecortex " << verb.name << " EXPERIMENT.toml [--set KEY=VALUE …] [OPTION …]\n";
  if (!verb.matrices.empty()) {
    text << (verb.experiment ? "       " : "Usage: ") << "cinecortex " << verb.name << ' ' << verb.matrices
         << '\n';
  }
  if (!verb.about.empty()) text << '\n' << verb.about;
  if (const auto without = lack(verb.name); !without.empty())
    text << "\nBuilt for statistics only: " << without << ".\n";
  if (const auto own = experiment_options(verb); !own.options().empty()) text << '\n' << own;
  if (!verb.matrices.empty()) text << '\n' << matrix_options(verb);
  text << '\n' << common_options();
  if (verb.name == "extract") text << '\n' << model_list();
  return text.str();
}

}  // namespace cinecortex::app
