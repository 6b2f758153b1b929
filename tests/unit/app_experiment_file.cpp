#include "cinecortex/app/experiment_file.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "cinecortex/core/error.hpp"

namespace {

using namespace cinecortex;
using app::parse_experiment;

// Line 1 is [data]; lines that tests add come behind the last.
const std::string minimal = R"([data]
root = "data"
[[space]]
name = "words"
model = "word_rate"
)";

std::string complaint(const std::string& text, const std::vector<std::string>& settings = {}) {
  std::vector<app::Setting> parsed;
  for (const auto& setting : settings) parsed.push_back(app::parse_setting(setting));
  try {
    parse_experiment(text, "e.toml", parsed);
  } catch (const InputError& e) {
    return e.what();
  }
  return "";
}

stages::Experiment with(const std::vector<std::string>& settings, const std::string& text = minimal) {
  std::vector<app::Setting> parsed;
  for (const auto& setting : settings) parsed.push_back(app::parse_setting(setting));
  return parse_experiment(text, "e.toml", parsed);
}

void expect_contains(const std::string& text, const std::vector<std::string>& parts) {
  for (const auto& part : parts)
    EXPECT_NE(text.find(part), std::string::npos) << "\"" << part << "\" in: " << text;
  EXPECT_EQ(text.find('\n'), std::string::npos) << "one line: " << text;
}

TEST(ExperimentFile, FillsInTheDefaultsOfTheMethod) {
  const auto experiment = parse_experiment(minimal, "folder/mine.toml");
  EXPECT_EQ(experiment.name, "mine");
  EXPECT_EQ(experiment.seed, 1004u);
  EXPECT_EQ(experiment.data.root, "data");
  EXPECT_EQ(experiment.data.subjects, (std::vector<int>{1, 2, 3, 5}));
  EXPECT_EQ(experiment.data.tr_s, 1.49);
  EXPECT_EQ(experiment.data.trim_tr, (std::array<Index, 2>{5, 5}));
  EXPECT_EQ(experiment.data.repeats, dataset::Repeats::average);
  EXPECT_EQ(experiment.split.base, "friends:1-4,6 movie10:figures");
  EXPECT_EQ(experiment.split.test, "friends:7 ood:*");
  EXPECT_FALSE(experiment.split.allow_leak);
  EXPECT_EQ(experiment.ridge.alphas.size(), 15u);
  EXPECT_EQ(experiment.ridge.criterion, "loo");
  EXPECT_TRUE(experiment.ridge.per_target);
  EXPECT_EQ(experiment.stack.method, "simplex");
  EXPECT_EQ(experiment.significance.permutations, 1000);
  EXPECT_EQ(experiment.significance.block_tr, 10);
  EXPECT_EQ(experiment.significance.seed, 1004u);
  EXPECT_EQ(experiment.output, "out/mine");
  EXPECT_EQ(experiment.statistics, stages::StatisticsPolicy::automatic);
  ASSERT_EQ(experiment.spaces.size(), 1u);
  const auto& space = experiment.spaces[0];
  EXPECT_EQ(space.pca.options.components, 0);
  EXPECT_EQ(space.pca.options.fit_every, 5);
  EXPECT_EQ(space.pca.options.seed, 1004u);
  EXPECT_FALSE(space.pca.fit_all);
  EXPECT_EQ(space.design.delays(), (std::vector<Index>{5, 4, 3}));
  EXPECT_EQ(space.design.edge(), encoding::Edge::shift);
}

const std::string everything = R"(name = "all keys"
seed = 7
[data]
root = 'C:\odd "name"'
subjects = [2, 5]
tr_s = 2
trim_tr = [0, 3]
repeats = "keep"
tolerance_tr = 4
[split]
base = "friends:1"
stack = "friends:2"
test = "life"
allow_leak = true
[[space]]
name = "motion"
model = "motion_energy"
pca = { components = 12, scale = "per-run", fit = "all", fit_every = 1, solver = "dual" }
delay = -1
window = 2
edge = "zero"
[[space]]
name = "sound-2"
model = "audio_energy"
delays = [4, 0, -2]
edge = "drop"
[ridge]
alphas = [1e5, 0.1, 1e-7, 3]
criterion = "gcv"
per_target = false
[stack]
method = "mean"
[score]
permutations = 0
block_tr = 15
[output]
dir = "/tmp/o u t"
statistics = "keep"
)";

void expect_same(const stages::Experiment& a, const stages::Experiment& b) {
  EXPECT_EQ(a.name, b.name);
  EXPECT_EQ(a.seed, b.seed);
  EXPECT_EQ(a.data.root, b.data.root);
  EXPECT_EQ(a.data.subjects, b.data.subjects);
  EXPECT_EQ(a.data.tr_s, b.data.tr_s);
  EXPECT_EQ(a.data.trim_tr, b.data.trim_tr);
  EXPECT_EQ(a.data.repeats, b.data.repeats);
  EXPECT_EQ(a.data.tolerance_tr, b.data.tolerance_tr);
  EXPECT_EQ(a.split.base, b.split.base);
  EXPECT_EQ(a.split.stack, b.split.stack);
  EXPECT_EQ(a.split.test, b.split.test);
  EXPECT_EQ(a.split.allow_leak, b.split.allow_leak);
  EXPECT_EQ(a.ridge.alphas, b.ridge.alphas);
  EXPECT_EQ(a.ridge.criterion, b.ridge.criterion);
  EXPECT_EQ(a.ridge.per_target, b.ridge.per_target);
  EXPECT_EQ(a.stack.method, b.stack.method);
  EXPECT_EQ(a.significance.permutations, b.significance.permutations);
  EXPECT_EQ(a.significance.block_tr, b.significance.block_tr);
  EXPECT_EQ(a.significance.seed, b.significance.seed);
  EXPECT_EQ(a.output, b.output);
  EXPECT_EQ(a.statistics, b.statistics);
  EXPECT_EQ(a.resolved, b.resolved);
  ASSERT_EQ(a.spaces.size(), b.spaces.size());
  for (std::size_t i = 0; i < a.spaces.size(); ++i) {
    const auto &x = a.spaces[i], &y = b.spaces[i];
    EXPECT_EQ(x.name, y.name);
    EXPECT_EQ(x.model.model, y.model.model);
    EXPECT_EQ(x.model.weights, y.model.weights);
    EXPECT_EQ(x.model.options, y.model.options);
    EXPECT_EQ(x.model.tr_s, y.model.tr_s);
    EXPECT_EQ(x.reading, y.reading);
    EXPECT_EQ(x.design.delays(), y.design.delays());
    EXPECT_EQ(x.design.edge(), y.design.edge());
    EXPECT_EQ(x.pca.fit_all, y.pca.fit_all);
    EXPECT_EQ(x.pca.options.components, y.pca.options.components);
    EXPECT_EQ(x.pca.options.scale, y.pca.options.scale);
    EXPECT_EQ(x.pca.options.fit_every, y.pca.options.fit_every);
    EXPECT_EQ(x.pca.options.solver, y.pca.options.solver);
    EXPECT_EQ(x.pca.options.seed, y.pca.options.seed);
  }
}

TEST(ExperimentFile, ReadsEveryKey) {
  const auto experiment = parse_experiment(everything, "e.toml");
  EXPECT_EQ(experiment.name, "all keys");
  EXPECT_EQ(experiment.seed, 7u);
  EXPECT_EQ(experiment.data.root, "C:\\odd \"name\"");
  EXPECT_EQ(experiment.data.tr_s, 2.0);
  EXPECT_EQ(experiment.data.trim_tr, (std::array<Index, 2>{0, 3}));
  EXPECT_EQ(experiment.data.repeats, dataset::Repeats::keep);
  EXPECT_EQ(experiment.data.tolerance_tr, 4);
  EXPECT_TRUE(experiment.split.allow_leak);
  EXPECT_EQ(experiment.ridge.alphas, (std::vector<double>{1e5, 0.1, 1e-7, 3}));
  EXPECT_FALSE(experiment.ridge.per_target);
  EXPECT_EQ(experiment.stack.method, "mean");
  EXPECT_EQ(experiment.significance.permutations, 0);
  EXPECT_EQ(experiment.significance.block_tr, 15);
  EXPECT_EQ(experiment.significance.seed, 7u);
  EXPECT_EQ(experiment.output, "/tmp/o u t");
  EXPECT_EQ(experiment.statistics, stages::StatisticsPolicy::keep);
  ASSERT_EQ(experiment.spaces.size(), 2u);
  const auto& motion = experiment.spaces[0];
  EXPECT_EQ(motion.model.tr_s, 2.0);
  EXPECT_EQ(motion.design.delays(), (std::vector<Index>{0, -1}));
  EXPECT_EQ(motion.design.edge(), encoding::Edge::zero);
  EXPECT_EQ(motion.pca.options.components, 12);
  EXPECT_EQ(motion.pca.options.scale, encoding::Scale::per_run);
  EXPECT_EQ(motion.pca.options.solver, encoding::PcaSolver::dual);
  EXPECT_EQ(motion.pca.options.seed, 7u);
  EXPECT_TRUE(motion.pca.fit_all);
  EXPECT_EQ(experiment.spaces[1].design.delays(), (std::vector<Index>{4, 0, -2}));
  EXPECT_EQ(experiment.spaces[1].design.edge(), encoding::Edge::drop);
}

TEST(ExperimentFile, TheResolvedTextGivesTheSameExperiment) {
  for (const auto& text : {minimal, everything}) {
    const auto experiment = parse_experiment(text, "mine.toml");
    expect_same(experiment, parse_experiment(experiment.resolved, "other.toml"));
  }
}

TEST(ExperimentFile, EveryModelCanBeResolvedAgain) {
  for (const auto& model : models::model_catalogue()) {
    const std::string weights = model.needs_weights ? "weights = \"w\"\n" : "";
    const auto text =
        "[data]\nroot = \"d\"\n[[space]]\nname = \"s\"\nmodel = \"" + model.name + "\"\n" + weights;
    const auto experiment = parse_experiment(text, "e.toml");
    EXPECT_EQ(experiment.spaces[0].model.options.size(), model.options.size());
    expect_same(experiment, parse_experiment(experiment.resolved, "e.toml"));
  }
}

TEST(ExperimentFile, UnknownKeysAreErrorsWithLineAndSuggestion) {
  expect_contains(complaint("[data]\nroot = \"d\"\nsubject = [1]\n"),
                  {"e.toml:3", "[data]", "unknown key \"subject\"", "did you mean \"subjects\"?", "trim_tr"});
  expect_contains(complaint(minimal + "[swep]\n"), {"e.toml:6", "unknown table \"swep\"", "split"});
  expect_contains(complaint(minimal + "[sweeps]\ncomponents = [1]\n"),
                  {"e.toml:6", "unknown table \"sweeps\" (did you mean \"sweep\"?)"});
  expect_contains(complaint(minimal + "windw = 3\n"), {"e.toml:6", "[[space]]", "\"windw\"", "\"window\""});
  expect_contains(complaint(minimal + "pca = { component = 3 }\n"),
                  {"e.toml:6", "pca", "\"component\"", "\"components\""});
  expect_contains(complaint("nmae = \"x\"\n" + minimal), {"e.toml:1", "\"nmae\"", "\"name\""});
}

TEST(ExperimentFile, SaysWhatIsMissing) {
  expect_contains(complaint("[[space]]\nname = \"s\"\nmodel = \"word_rate\"\n"),
                  {"e.toml", "[data] root is missing", "folder"});
  expect_contains(complaint("[data]\nroot = \"d\"\n"), {"e.toml", "no [[space]]"});
  expect_contains(complaint("[data]\nroot = \"d\"\n\n[[space]]\nmodel = \"word_rate\"\n"),
                  {"e.toml:4", "name is missing"});
  expect_contains(complaint("[data]\nroot = \"d\"\n[[space]]\nname = \"s\"\n"),
                  {"e.toml:3", "model is missing", "word_rate"});
  expect_contains(complaint("[data]\nroot = \"d\"\n[[space]]\nname = \"s\"\nmodel = \"torchscript\"\n"),
                  {"e.toml:3", "weights is missing", "torchscript"});
}

TEST(ExperimentFile, WrongTypesAreNamed) {
  expect_contains(complaint("[data]\nroot = 3\n"), {"e.toml:2", "[data] root = 3", "a text", "an integer"});
  expect_contains(complaint("[data]\nroot = \"d\"\ntr_s = \"fast\"\n"),
                  {"e.toml:3", "tr_s = \"fast\"", "a number", "not a text"});
  expect_contains(complaint("[data]\nroot = \"d\"\nsubjects = 1\n"),
                  {"e.toml:3", "subjects = 1", "a list of integers"});
  expect_contains(complaint("[data]\nroot = \"d\"\nsubjects = [1, \"two\"]\n"),
                  {"e.toml:3", "list of integers", "element 2 is a text"});
  expect_contains(complaint("data = 1\n" + minimal.substr(minimal.find("[[space]]"))),
                  {"e.toml:1", "data = 1", "must be a table"});
  expect_contains(complaint("[data]\nroot = \"d\"\n[space]\nname = \"s\"\n"), {"e.toml:3", "[[space]]"});
  expect_contains(complaint(minimal + "window = 1.5\n"), {"e.toml:6", "window = 1.5", "an integer"});
  expect_contains(complaint(minimal + "[ridge]\nper_target = 1\n"),
                  {"e.toml:7", "per_target", "true or false"});
}

TEST(ExperimentFile, ImpossibleValuesAreRefused) {
  expect_contains(complaint(minimal + "window = 0\n"), {"e.toml:6", "window = 0", "at least 1"});
  expect_contains(complaint(minimal + "delays = [1, 1]\n"), {"e.toml:6", "delays = [ 1, 1 ]", "twice"});
  expect_contains(complaint(minimal + "delays = []\n"), {"e.toml:6", "at least one delay"});
  expect_contains(complaint(minimal + "delay = 1\ndelays = [1]\n"), {"e.toml:6", "delay = 1", "either"});
  expect_contains(complaint(minimal + "edge = \"shit\"\n"),
                  {"e.toml:6", "did you mean \"shift\"?", "zero, drop"});
  expect_contains(complaint(minimal + "pca = { components = 0 }\n"),
                  {"e.toml:6", "components = 0", "at least 1", "\"all\""});
  expect_contains(complaint(minimal + "pca = { scale = \"per_run\" }\n"), {"did you mean \"per-run\"?"});
  expect_contains(complaint(minimal + "[ridge]\nalphas = [1, -2]\n"),
                  {"e.toml:7", "alphas = [ 1, -2 ]", "-2"});
  expect_contains(complaint(minimal + "[ridge]\nalphas = []\n"), {"e.toml:7", "alphas"});
  expect_contains(complaint(minimal + "[ridge]\ncriterion = \"lo\"\n"),
                  {"e.toml:7", "criterion = \"lo\"", "loo"});
  EXPECT_EQ(complaint(minimal + "[ridge]\ncriterion = \"kfold:1\"\n"),
            "e.toml:7: [ridge] criterion = \"kfold:1\": kfold:K takes a whole number K of at least 2, e.g. "
            "kfold:5");
  expect_contains(complaint(minimal + "[stack]\nmethod = \"simplx\"\n"), {"e.toml:7", "\"simplex\""});
  expect_contains(complaint(minimal + "[score]\nblock_tr = 0\n"), {"e.toml:7", "block_tr", "at least 1"});
  expect_contains(complaint("[data]\nroot = \"d\"\ntr_s = 0\n"), {"e.toml:3", "tr_s = 0", "above 0"});
  expect_contains(complaint("[data]\nroot = \"d\"\ntr_s = -1.5\n"), {"e.toml:3", "tr_s = -1.5"});
  expect_contains(complaint("[data]\nroot = \"d\"\ntrim_tr = [5]\n"), {"e.toml:3", "two integers"});
  expect_contains(complaint("[data]\nroot = \"d\"\ntrim_tr = [5, -1]\n"), {"e.toml:3", "two integers"});
  expect_contains(complaint("[data]\nroot = \"d\"\nsubjects = [1, 1]\n"),
                  {"e.toml:3", "subject 1 is named twice"});
  expect_contains(complaint("[data]\nroot = \"d\"\nsubjects = [0]\n"), {"e.toml:3"});
  expect_contains(complaint("[data]\nroot = \"d\"\nrepeats = \"avg\"\n"), {"e.toml:3", "average, keep"});
  expect_contains(complaint("seed = -1\n" + minimal), {"e.toml:1", "seed = -1", "at least 0"});
  expect_contains(complaint(minimal + "weights = \"w\"\n"), {"e.toml:6", "word_rate has no weights"});
}

TEST(ExperimentFile, SpacesHaveNamesOfTheirOwn) {
  expect_contains(complaint(minimal + "[[space]]\nname = \"words\"\nmodel = \"word_rate\"\n"),
                  {"e.toml:7", "name = \"words\"", "taken by the space at e.toml:3"});
  expect_contains(complaint("[data]\nroot = \"d\"\n[[space]]\nname = \"a/b\"\nmodel = \"word_rate\"\n"),
                  {"e.toml:4", "letters, digits"});
  expect_contains(complaint("[data]\nroot = \"d\"\n[[space]]\nname = \"stacked\"\nmodel = \"word_rate\"\n"),
                  {"e.toml:4", "stacked"});
  expect_contains(complaint("[data]\nroot = \"d\"\n[[space]]\nname = \"s\"\nmodel = \"word_rat\"\n"),
                  {"e.toml:5", "did you mean \"word_rate\"?", "audio_energy"});
}

TEST(ExperimentFile, BrokenTomlGivesLineAndColumn) {
  expect_contains(complaint("[data]\nroot = \n"), {"e.toml:2:", "not valid TOML"});
  expect_contains(complaint("[data]\nroot = \"a\"\nroot = \"b\"\n"), {"e.toml:3:", "not valid TOML"});
}

TEST(ExperimentFile, AMissingFileIsNamed) {
  try {
    app::read_experiment("/nowhere/e.toml");
    FAIL();
  } catch (const InputError& e) {
    expect_contains(e.what(), {"/nowhere/e.toml", "no such file"});
  }
}

TEST(ExperimentFile, IsReadFromDisk) {
  const auto file = std::filesystem::path(::testing::TempDir()) / "from_disk.toml";
  std::ofstream(file) << minimal;
  EXPECT_EQ(app::read_experiment(file).name, "from_disk");
}

std::filesystem::path configs() {
  const char* tests = std::getenv("CINECORTEX_TEST_DATA");
  return std::filesystem::path(tests != nullptr ? tests : "tests").parent_path() / "configs";
}

TEST(ExperimentFile, EveryConfigurationThatComesWithTheProgramIsRead) {
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(configs())) {
    EXPECT_NO_THROW(app::read_experiment(entry.path())) << entry.path();
    ++files;
  }
  EXPECT_GE(files, 3);
}

TEST(ExperimentFile, TheConfigurationOfThePaperHasItsSixModels) {
  const auto experiment = app::read_experiment(configs() / "algonauts2025.toml");
  struct Expected {
    std::string name, model, reading;
    Index components;
    encoding::Scale scale;
  };
  const std::vector<Expected> paper{{"whisper", "whisper", "", 2000, encoding::Scale::per_run},
                                    {"llama", "llama", "", 500, encoding::Scale::per_run},
                                    {"internvl-img", "internvl", "img", 250, encoding::Scale::global},
                                    {"internvl-text", "internvl", "text", 250, encoding::Scale::global},
                                    {"internvl-vit", "internvl", "vit", 250, encoding::Scale::global},
                                    {"slow_r50", "slow_r50", "", 100, encoding::Scale::global}};
  ASSERT_EQ(experiment.spaces.size(), paper.size());
  for (std::size_t i = 0; i < paper.size(); ++i) {
    const auto& space = experiment.spaces[i];
    EXPECT_EQ(space.name, paper[i].name);
    EXPECT_EQ(space.model.model, paper[i].model);
    EXPECT_EQ(space.reading, paper[i].reading);
    EXPECT_EQ(space.pca.options.components, paper[i].components);
    EXPECT_EQ(space.pca.options.scale, paper[i].scale);
    EXPECT_EQ(space.pca.options.fit_every, 5);
    EXPECT_FALSE(space.pca.fit_all);
  }
  // One pass serves all three.
  for (const std::size_t i : {3, 4}) {
    EXPECT_EQ(experiment.spaces[i].model.weights, experiment.spaces[2].model.weights);
    EXPECT_EQ(experiment.spaces[i].model.options, experiment.spaces[2].model.options);
  }
}

TEST(Settings, ReplaceKeysOfTheFile) {
  const auto experiment = with({"data.tr_s=0.5", "ridge.alphas=[1, 2.5]", "split.base=friends:1-4 figures",
                                "seed=3", "space.words.delay=1", "space.words.pca.components=4",
                                "output.dir=there", "output.statistics=none"});
  EXPECT_EQ(experiment.data.tr_s, 0.5);
  EXPECT_EQ(experiment.ridge.alphas, (std::vector<double>{1, 2.5}));
  EXPECT_EQ(experiment.split.base, "friends:1-4 figures");
  EXPECT_EQ(experiment.seed, 3u);
  EXPECT_EQ(experiment.spaces[0].design.delays(), (std::vector<Index>{3, 2, 1}));
  EXPECT_EQ(experiment.spaces[0].pca.options.components, 4);
  EXPECT_EQ(experiment.output, "there");
  EXPECT_EQ(experiment.statistics, stages::StatisticsPolicy::none);
  EXPECT_NE(experiment.resolved.find("friends:1-4 figures"), std::string::npos);
}

TEST(Settings, TheLastOneWins) {
  EXPECT_EQ(with({"seed=1", "seed=2"}).seed, 2u);
}

TEST(Settings, AnEqualsSignMayBeInTheValue) {
  EXPECT_EQ(with({"name=a=b"}).name, "a=b");
}

TEST(Settings, TextIsTakenWithAndWithoutQuotes) {
  EXPECT_EQ(with({"stack.method=\"mean\""}).stack.method, "mean");
  EXPECT_EQ(with({"stack.method=mean"}).stack.method, "mean");
  EXPECT_EQ(with({"data.root=C:\\x \"y\""}).data.root, "C:\\x \"y\"");
}

TEST(Settings, ErrorsNameTheSetting) {
  EXPECT_EQ(complaint(minimal, {"data.tr_s=-1"}), "--set data.tr_s=-1: must be a time in seconds above 0");
  EXPECT_EQ(complaint(minimal, {"ridge.criterion=kfold:1"}),
            "--set ridge.criterion=kfold:1: kfold:K takes a whole number K of at least 2, e.g. kfold:5");
  expect_contains(complaint(minimal, {"ridge={criterion=\"lo\"}"}),
                  {"--set ridge={criterion", "[ridge] criterion = \"lo\"", "loo"});
  expect_contains(complaint(minimal, {"data.tr=1"}), {"--set data.tr=1", "unknown key \"tr\""});
  expect_contains(complaint(minimal, {"space.word.delay=1"}),
                  {"--set space.word.delay=1", "no space is named \"word\"", "did you mean \"words\"?"});
  expect_contains(complaint(minimal, {"space.words=1"}), {"--set space.words=1", "no key"});
  expect_contains(complaint(minimal, {"seed=2", "seed.x=1"}), {"--set seed.x=1", "not a table"});
  expect_contains(complaint(minimal, {"ridge.alphas=[1,"}), {"--set ridge.alphas=[1,", "a list of numbers"});
  expect_contains(complaint(minimal, {"data..tr_s=1"}), {"--set data..tr_s=1", "empty part"});
  for (const char* broken : {"seed", "=3"}) {
    try {
      app::parse_setting(broken);
      FAIL() << broken;
    } catch (const InputError& e) {
      expect_contains(e.what(), {"--set", "key=value"});
    }
  }
}

const std::string swept = minimal + "[sweep]\n";

TEST(ExperimentFile, ASweepLeavesOpenWhatIsNotNamed) {
  EXPECT_FALSE(parse_experiment(minimal, "e.toml").sweep.has_value());
  const auto experiment = with({"sweep.components=[5, 2]", "sweep.folds=\"season\""}, swept);
  ASSERT_TRUE(experiment.sweep.has_value());
  EXPECT_EQ(experiment.sweep->components, (std::vector<Index>{5, 2}));
  EXPECT_TRUE(experiment.sweep->delay.empty());
  EXPECT_TRUE(experiment.sweep->takes("words"));
  EXPECT_EQ(experiment.sweep->folds.by, stages::SweepFolds::By::season);
  const auto again = parse_experiment(experiment.resolved, "again.toml");
  ASSERT_TRUE(again.sweep.has_value());
  EXPECT_EQ(again.sweep->components, experiment.sweep->components);
  EXPECT_EQ(again.sweep->folds.by, experiment.sweep->folds.by);
  EXPECT_EQ(again.resolved, experiment.resolved);
}

TEST(ExperimentFile, ASweepTakesListsOfDelays) {
  const auto experiment = with({"sweep.delays=[[0, 2], [5, 3, 4]]", "sweep.folds=3"}, swept);
  EXPECT_EQ(experiment.sweep->delays, (std::vector<std::vector<Index>>{{2, 0}, {5, 4, 3}}));
  EXPECT_EQ(experiment.sweep->folds.by, stages::SweepFolds::By::contiguous);
  EXPECT_EQ(experiment.sweep->folds.count, 3);
}

TEST(ExperimentFile, ASweepThatMakesNoSenseIsRefused) {
  expect_contains(complaint(swept, {"sweep.delays=[[0, 2], [2, 0]]"}), {"delays", "twice"});
  expect_contains(complaint(swept, {"sweep.delays=[[0, 0]]"}), {"delays", "twice"});
  expect_contains(complaint(swept, {"sweep.delays=[1, 2]"}), {"delays", "lists", "integer"});
  expect_contains(complaint(swept, {"sweep.delays=[]"}), {"delays", "at least one"});
  expect_contains(complaint(swept, {"sweep.delays=[[1]]", "sweep.window=[2]"}), {"window", "either"});
  expect_contains(complaint(swept, {"sweep.window=[1, 1]"}), {"window", "twice"});
  expect_contains(complaint(swept, {"sweep.windows=[1]"}), {"windows", "window"});
  expect_contains(complaint(swept, {"sweep.window=[0]"}), {"window", "0", "between 1"});
  expect_contains(complaint(swept, {"sweep.components=[]"}), {"components", "at least one"});
  expect_contains(complaint(swept, {"sweep.folds=1"}), {"folds", "at least 2"});
  expect_contains(complaint(swept, {"sweep.folds=\"run\""}), {"folds", "season"});
  expect_contains(complaint(swept, {"sweep.spaces=[\"word\"]"}), {"spaces", "word", "words"});
}

TEST(ExperimentFile, ASweepsChoiceTakesThePlaceOfTheSpacesOwn) {
  const auto experiment = with({"sweep.window=[1]", "space.words.delays=[9, 4]"}, swept);
  const auto window = encoding::Design::shifted_window(2, 4, encoding::Edge::zero);
  const auto chosen = parse_experiment(experiment.with_choices({{"words", 3, window, true}}), "best.toml");
  EXPECT_EQ(chosen.output, experiment.output.string() + "-best");
  EXPECT_EQ(chosen.features, experiment.output / "features") << "which takes longest to make";
  EXPECT_FALSE(chosen.sweep.has_value());
  EXPECT_EQ(chosen.spaces[0].pca.options.components, 3);
  EXPECT_EQ(chosen.spaces[0].design.delays(), window.delays());
  EXPECT_EQ(chosen.spaces[0].design.edge(), encoding::Edge::zero) << "the space's own edge";
  const auto gaps = encoding::Design::fir({1, 7}, encoding::Edge::zero);
  const auto set = parse_experiment(chosen.with_choices({{"words", 2, gaps, false}}), "best.toml");
  EXPECT_EQ(set.spaces[0].design.delays(), gaps.delays());
  EXPECT_EQ(set.spaces[0].pca.options.components, 2);
}

}  // namespace
