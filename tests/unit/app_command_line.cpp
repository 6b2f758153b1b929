#include "cinecortex/app/command_line.hpp"

#include <gtest/gtest.h>

#include "cinecortex/core/error.hpp"

namespace {

using namespace cinecortex;
using app::parse_command_line;
namespace matrices = stages::matrices;

std::string complaint(const std::vector<std::string>& arguments) {
  try {
    parse_command_line(arguments);
  } catch (const InputError& e) {
    return e.what();
  }
  return "";
}

void expect_contains(const std::string& text, const std::vector<std::string>& parts) {
  for (const auto& part : parts)
    EXPECT_NE(text.find(part), std::string::npos) << "\"" << part << "\" in: " << text;
}

std::string help(const std::vector<std::string>& arguments) {
  return std::get<app::ShowHelp>(parse_command_line(arguments).job).text;
}

TEST(CommandLine, HelpNamesEveryVerbAndTwoExamples) {
  for (const auto& arguments : {std::vector<std::string>{}, {"--help"}, {"help"}}) {
    expect_contains(help(arguments), {"validate", "extract", "pca", "ridge", "stack", "predict", "score",
                                      "run", "synth", "mpirun -n 4 cinecortex run", "cinecortex ridge --x"});
  }
  expect_contains(help({"ridge", "--help"}),
                  {"--alphas", "--criterion", "loo", "--threads", "EXPERIMENT.toml"});
  expect_contains(help({"extract", "--help"}), {"--movie", "motion_energy", "word_rate"});
  expect_contains(help({"help", "pca"}), {"--components"});
  EXPECT_TRUE(std::holds_alternative<app::ShowVersion>(parse_command_line({"--version"}).job));
}

TEST(CommandLine, AnExperimentWithItsOptions) {
  const auto command =
      parse_command_line({"ridge", "e.toml", "--set", "seed=3", "--set=ridge.alphas=[1, 2]", "--threads", "4",
                          "--device", "cpu", "--json", "--force", "--dry-run", "--log-level", "warning"});
  EXPECT_EQ(command.verb, "ridge");
  EXPECT_EQ(command.threads, 4);
  EXPECT_EQ(command.device, "cpu");
  EXPECT_EQ(command.log_level, log::Level::warning);
  EXPECT_TRUE(command.json && command.force && command.dry_run);
  const auto& job = std::get<app::ExperimentJob>(command.job);
  EXPECT_EQ(job.file, "e.toml");
  ASSERT_EQ(job.settings.size(), 2u);
  EXPECT_EQ(job.settings[1].key, "ridge.alphas");
  EXPECT_EQ(job.settings[1].value, "[1, 2]");
}

TEST(CommandLine, DefaultsLeaveEverythingToTheProgram) {
  const auto command = parse_command_line({"run", "e.toml"});
  EXPECT_FALSE(command.threads.has_value());
  EXPECT_EQ(command.device, "auto");
  EXPECT_EQ(command.log_level, log::Level::info);
  EXPECT_FALSE(command.json || command.force || command.dry_run);
}

TEST(CommandLine, RidgeOnMatrices) {
  const auto command = parse_command_line({"ridge", "--x", "X.npy", "--y", "f.h5:/y", "--groups", "g.npy",
                                           "--alphas", "1,.5,1e3", "--criterion", "gcv", "--shared-alpha",
                                           "--delays=-1,0,4", "--output", "r.h5", "--force"});
  const auto& job = std::get<matrices::RidgeConfig>(command.job);
  EXPECT_EQ(job.x, "X.npy");
  EXPECT_EQ(job.y, "f.h5:/y");
  EXPECT_EQ(job.groups, "g.npy");
  EXPECT_EQ(job.options.alphas, (std::vector<double>{1, 0.5, 1000}));
  EXPECT_EQ(job.options.criterion, "gcv");
  EXPECT_FALSE(job.options.per_target);
  ASSERT_TRUE(job.design.has_value());
  EXPECT_EQ(job.design->delays(), (std::vector<Index>{4, 0, -1}));
  EXPECT_EQ(job.design->edge(), encoding::Edge::zero);
  EXPECT_EQ(job.output, "r.h5");
  EXPECT_TRUE(job.handling.force);
  EXPECT_FALSE(job.handling.dry_run);
}

TEST(CommandLine, RidgeWithoutDelaysHasNoDesign) {
  const auto plain = parse_command_line({"ridge", "--x", "X.npy", "--y", "Y.npy", "--output", "r.h5"});
  EXPECT_FALSE(std::get<matrices::RidgeConfig>(plain.job).design.has_value());
  EXPECT_EQ(std::get<matrices::RidgeConfig>(plain.job).options.alphas.size(), 15u);
  const auto window = parse_command_line(
      {"ridge", "--x", "X.npy", "--y", "Y.npy", "--output", "r.h5", "--set", "delay=2", "--set", "window=2"});
  EXPECT_EQ(std::get<matrices::RidgeConfig>(window.job).design->delays(), (std::vector<Index>{3, 2}));
}

TEST(CommandLine, PcaOnMatrices) {
  const auto command =
      parse_command_line({"pca", "--x", "X.npy", "--components", "7", "--scale", "groups", "--groups",
                          "g.npy", "--fit-every", "3", "--solver", "dual", "--output", "p.h5"});
  const auto& job = std::get<matrices::PcaConfig>(command.job);
  EXPECT_EQ(job.options.components, 7);
  EXPECT_EQ(job.options.scale, encoding::Scale::per_run);
  EXPECT_EQ(job.options.fit_every, 3);
  EXPECT_EQ(job.options.solver, encoding::PcaSolver::dual);
  const auto all = parse_command_line({"pca", "--x", "X.npy", "--output", "p.h5"});
  EXPECT_EQ(std::get<matrices::PcaConfig>(all.job).options.components, 0);
  EXPECT_EQ(std::get<matrices::PcaConfig>(all.job).options.fit_every, 1);
}

TEST(CommandLine, TheOtherVerbsOnMatrices) {
  const auto stack = parse_command_line({"stack", "--y", "Y.npy", "--prediction", "a.npy", "--prediction",
                                         "b.npy", "--method", "mean", "--output", "s.h5"});
  EXPECT_EQ(std::get<matrices::StackConfig>(stack.job).predictions,
            (std::vector<std::string>{"a.npy", "b.npy"}));
  EXPECT_EQ(std::get<matrices::StackConfig>(stack.job).method, "mean");
  const auto predict =
      parse_command_line({"predict", "--model", "r.h5", "--x", "X.npy", "--output", "p.npy"});
  EXPECT_EQ(std::get<matrices::PredictConfig>(predict.job).model, "r.h5");
  const auto score = parse_command_line({"score", "--y", "Y.npy", "--prediction", "p.npy"});
  EXPECT_EQ(std::get<matrices::ScoreConfig>(score.job).prediction, "p.npy");
  EXPECT_TRUE(std::get<matrices::ScoreConfig>(score.job).output.empty());
  EXPECT_EQ(std::get<matrices::ScoreConfig>(score.job).significance.permutations, 1000);
  EXPECT_EQ(std::get<matrices::ScoreConfig>(score.job).significance.block_tr, 10);
  const auto tested = parse_command_line(
      {"score", "--y", "Y.npy", "--prediction", "p.npy", "--permutations", "0", "--set", "block_tr=7"});
  EXPECT_EQ(std::get<matrices::ScoreConfig>(tested.job).significance.permutations, 0);
  EXPECT_EQ(std::get<matrices::ScoreConfig>(tested.job).significance.block_tr, 7);
}

TEST(CommandLine, ExtractOfOneFile) {
  const auto command = parse_command_line(
      {"extract", "--model", "motion_energy", "--movie", "m.mkv", "--output", "f.h5", "--tr", "2"});
  const auto& job = std::get<matrices::ExtractConfig>(command.job);
  EXPECT_EQ(job.model.model, "motion_energy");
  EXPECT_EQ(job.model.tr_s, 2.0);
  EXPECT_EQ(job.movie, "m.mkv");
  expect_contains(complaint({"extract", "--model", "motion_enrgy", "--movie", "m.mkv", "--output", "f.h5"}),
                  {"--model motion_enrgy", "did you mean \"motion_energy\"?"});
  expect_contains(complaint({"extract", "--model", "word_rate", "--transcript", "t.tsv", "--output", "f.h5",
                             "--set", "nonsense=1"}),
                  {"--set nonsense=1", "unknown key"});
  expect_contains(complaint({"extract", "--model", "word_rate", "--output", "f.h5"}), {"--transcript"});
  expect_contains(
      complaint({"extract", "--model", "audio_energy", "--movie", "m", "--audio", "a", "--output", "f.h5"}),
      {"--movie and --audio", "one of them"});
}

TEST(CommandLine, SynthTakesSizes) {
  const auto command = parse_command_line({"synth", "--output", "d", "--subjects", "1,4", "--parcels", "30",
                                           "--seed", "9", "--frame-rate", "12.5"});
  const auto& job = std::get<stages::SynthConfig>(command.job);
  EXPECT_EQ(job.root, "d");
  EXPECT_EQ(job.subjects, (std::vector<int>{1, 4}));
  EXPECT_EQ(job.parcels, 30);
  EXPECT_EQ(job.seed, 9u);
  EXPECT_EQ(job.frame_rate_hz, 12.5);
  expect_contains(complaint({"synth", "--output", "d", "--subjects", "1,1.5"}), {"--subjects 1,1.5"});
  expect_contains(complaint({"synth"}), {"--output"});
  expect_contains(complaint({"synth", "e.toml"}), {"takes no experiment file", "e.toml"});
}

TEST(CommandLine, MistakesGetASuggestion) {
  expect_contains(complaint({"rigde"}), {"no verb \"rigde\"", "did you mean \"ridge\"?", "validate"});
  expect_contains(complaint({"ridge", "e.toml", "--thread", "2"}), {"--thread", "did you mean --threads?"});
  expect_contains(complaint({"pca", "--x", "X.npy", "--component", "2", "--output", "p.h5"}),
                  {"--component", "did you mean --components?"});
  expect_contains(complaint({"--json", "ridge"}), {"the verb comes first", "--json"});
  expect_contains(complaint({"ridge", "e.toml", "--threads"}), {"--threads", "--help"});
}

TEST(CommandLine, WrongValuesAreNamed) {
  expect_contains(complaint({"ridge", "e.toml", "--threads", "0"}), {"--threads 0", "at least 1"});
  expect_contains(complaint({"ridge", "e.toml", "--threads", "two"}), {"--threads two", "integer"});
  expect_contains(complaint({"ridge", "e.toml", "--device", "gpu"}), {"--device gpu", "cuda"});
  expect_contains(complaint({"ridge", "e.toml", "--log-level", "loud"}), {"--log-level loud", "warning"});
  const std::vector<std::string> ridge{"ridge", "--x", "X.npy", "--y", "Y.npy", "--output", "r.h5"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), ridge.begin(), ridge.end());
    return complaint(more);
  };
  expect_contains(with({"--alphas", "1,x"}), {"--alphas 1,x", "\"x\" is not a number"});
  expect_contains(with({"--alphas", "1,-1"}), {"--alphas 1,-1", "-1"});
  expect_contains(with({"--criterion", "loocv"}), {"--criterion loocv", "loo"});
  expect_contains(with({"--delays", "1,2.5"}), {"--delays 1,2.5", "integers"});
  expect_contains(with({"--edge", "zero"}), {"--edge zero", "--delays"});
  expect_contains(with({"--set", "edge=zero"}), {"--set edge=zero", "--delays"});
  expect_contains(with({"--set", "ridge.alphas=[1]"}), {"--set ridge.alphas=[1]", "no table"});
  expect_contains(complaint({"pca", "--x", "X.npy", "--components", "0", "--output", "p.h5"}),
                  {"--components 0", "at least 1"});
  expect_contains(complaint({"pca", "--x", "X.npy", "--scale", "groups", "--output", "p.h5"}),
                  {"--scale groups", "--groups"});
  expect_contains(complaint({"pca", "--x", "X.npy", "--scale", "per-run", "--output", "p.h5"}),
                  {"--scale per-run: needs --groups"});
  expect_contains(complaint({"pca", "--x", "X.npy", "--set", "scale=per-run", "--output", "p.h5"}),
                  {"--set scale=per-run: needs --groups"});
  expect_contains(complaint({"score", "--y", "Y", "--prediction", "p", "--set", "a=1"}), {"--set a=1"});
  expect_contains(complaint({"score", "--y", "Y", "--prediction", "p", "--block-tr", "0"}), {"--block-tr 0"});
}

TEST(CommandLine, UnknownKeysAreShownAllThatTheVerbHas) {
  const std::vector<std::string> matrices{"--x", "X.npy", "--y", "Y.npy", "--output", "o.h5", "--set"};
  const auto with = [&](const std::string& verb, const std::string& setting) {
    std::vector<std::string> arguments{verb};
    arguments.insert(arguments.end(), matrices.begin(), matrices.end());
    arguments.push_back(setting);
    return complaint(arguments);
  };
  expect_contains(
      with("sweep", "component=3"),
      {"unknown key \"component\" (did you mean \"components\"?)",
       "allowed are alphas, components, delay, delays, edge, folds, measure, per_target, window"});
  expect_contains(with("ridge", "folds=3"),
                  {"unknown key \"folds\"",
                   "allowed are alphas, criterion, delay, delays, edge, measure, per_target, window"});
  expect_contains(with("ridge", "delais=[1]"), {"did you mean \"delays\"?"});
  expect_contains(with("sweep", "criterion=loo"), {"--set criterion=loo", "folds"});
}

TEST(CommandLine, AnOptionAndASettingOfTheSameThingAreRefused) {
  const auto twice = [](std::vector<std::string> arguments, const std::string& option,
                        const std::string& setting) {
    arguments.insert(arguments.end(), {"--set", setting});
    expect_contains(complaint(arguments), {option + " and --set " + setting + " say the same thing"});
  };
  twice({"ridge", "--x", "X", "--y", "Y", "--output", "r.h5", "--criterion", "loo"}, "--criterion loo",
        "criterion=gcv");
  twice({"ridge", "--x", "X", "--y", "Y", "--output", "r.h5", "--shared-alpha"}, "--shared-alpha",
        "per_target=true");
  twice({"sweep", "--x", "X", "--y", "Y", "--output", "s.h5", "--alphas", "1"}, "--alphas 1", "alphas=[2]");
  twice({"pca", "--x", "X", "--output", "p.h5", "--scale", "none"}, "--scale none", "scale=global");
  twice({"stack", "--y", "Y", "--prediction", "p", "--output", "s.h5", "--method", "ols"}, "--method ols",
        "method=ridge");
  twice({"score", "--y", "Y", "--prediction", "p", "--block-tr", "5"}, "--block-tr 5", "block_tr=7");
  twice({"extract", "--transcript", "t.tsv", "--output", "f.h5", "--model", "word_rate"}, "--model word_rate",
        "model=audio_energy");
}

TEST(CommandLine, AnExperimentAndMatricesDoNotMix) {
  expect_contains(complaint({"ridge", "e.toml", "--x", "X.npy"}), {"--x", "e.toml", "one of the two"});
  expect_contains(complaint({"ridge"}), {"needs an experiment file, or --x"});
  expect_contains(complaint({"ridge", "--x", "X.npy", "--output", "r.h5"}), {"--y"});
  expect_contains(complaint({"run"}), {"needs an experiment file"});
  expect_contains(complaint({"run", "a.toml", "b.toml"}), {"a.toml b.toml", "one experiment file"});
}

}  // namespace
