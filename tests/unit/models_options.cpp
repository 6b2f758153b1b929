#include <set>

#include "cinecortex/models/runtime.hpp"
#include "models_testing.hpp"
#include "options.hpp"

namespace cinecortex::models {
namespace {

using testing::expect_message;

TEST(Catalogue, DescribesEveryModel) {
  std::vector<std::string> names;
  for (const auto& model : model_catalogue()) {
    names.push_back(model.name);
    EXPECT_FALSE(model.help.empty()) << model.name;
    std::set<std::string> seen;
    for (const auto& option : model.options) {
      EXPECT_TRUE(seen.insert(option.name).second) << model.name << '.' << option.name << " twice";
      EXPECT_FALSE(option.help.empty()) << model.name << '.' << option.name;
      EXPECT_EQ(option.help.find('\n'), std::string::npos);
      EXPECT_EQ(checked_option(option, option.default_value), option.default_value) << option.name;
    }
  }
  EXPECT_EQ(names, (std::vector<std::string>{"motion_energy", "audio_energy", "word_rate", "torchscript",
                                             "whisper", "llama", "internvl", "slow_r50"}));
}

TEST(Catalogue, EveryDefaultMakesAnExtractor) {
  for (const auto& model : model_catalogue()) {
    if (model.needs_weights) continue;
    ModelConfig config;
    config.model = model.name;
    for (const auto& option : model.options) config.options[option.name] = option.default_value;
    const auto explicitly = make_extractor(config);
    config.options.clear();
    EXPECT_EQ(make_extractor(config)->identity(), explicitly->identity()) << model.name;
    EXPECT_NE(explicitly->needs(), Needs::none);
  }
}

TEST(Catalogue, IdentityCoversEveryOptionAndTheTr) {
  std::set<std::string> identities;
  std::size_t made = 0;
  const auto make = [&](const std::string& model, const std::string& name, const Option& value, double tr_s) {
    ModelConfig config;
    config.model = model;
    config.tr_s = tr_s;
    if (!name.empty()) config.options[name] = value;
    identities.insert(make_extractor(config)->identity());
    ++made;
  };
  for (const std::string model : {"motion_energy", "audio_energy", "word_rate"}) {
    make(model, "", true, 1.49);
    make(model, "", true, 2.0);
  }
  make("motion_energy", "height", std::int64_t{72}, 1.49);
  make("motion_energy", "width", std::int64_t{96}, 1.49);
  make("motion_energy", "fps", std::int64_t{24}, 1.49);
  make("motion_energy", "temporal_frequencies_hz", std::vector<double>{0, 2}, 1.49);
  make("motion_energy", "temporal_frequencies_hz", std::vector<double>{2, 0}, 1.49);
  make("motion_energy", "spatial_frequencies", std::vector<double>{2, 4}, 1.49);
  make("motion_energy", "directions", std::vector<double>{0, 90}, 1.49);
  make("motion_energy", "sf_gauss_ratio", 0.5, 1.49);
  make("motion_energy", "max_spatial_env", 0.25, 1.49);
  make("motion_energy", "filter_spacing", std::int64_t{4}, 1.49);
  make("motion_energy", "tf_gauss_ratio", 2.0, 1.49);
  make("motion_energy", "max_temporal_env", 0.2, 1.49);
  make("motion_energy", "include_edges", true, 1.49);
  make("motion_energy", "filter_width", std::int64_t{8}, 1.49);
  make("motion_energy", "compress", std::string("none"), 1.49);
  make("audio_energy", "bands", std::int64_t{32}, 1.49);
  make("audio_energy", "window_ms", 30.0, 1.49);
  make("audio_energy", "hop_ms", 12.0, 1.49);
  make("audio_energy", "mel", std::string("htk"), 1.49);
  make("audio_energy", "f_min_hz", 50.0, 1.49);
  make("audio_energy", "f_max_hz", 7600.0, 1.49);
  EXPECT_EQ(identities.size(), made);
}

TEST(Catalogue, RefusesWhatItDoesNotHave) {
  const auto with = [](const std::string& model, const std::string& weights, double tr_s = 1.49) {
    return [=] {
      ModelConfig config;
      config.model = model;
      config.weights = weights;
      config.tr_s = tr_s;
      make_extractor(config);
    };
  };
  expect_message(with("motion_enrgy", ""), {"motion_enrgy", "did you mean \"motion_energy\"", "torchscript"});
  expect_message(with("zzz", ""), {"zzz", "there are motion_energy, audio_energy"});
  expect_message(with("torchscript", ""), {"torchscript", "weights are missing"});
  expect_message(with("word_rate", "w.pt"), {"word_rate", "w.pt", "leave the key out"});
  expect_message(with("word_rate", "", 0), {"tr_s = 0"});
}

TEST(Options, ConvertWhatMeansTheSame) {
  const OptionInfo real{.name = "x", .default_value = 1.5, .help = "", .minimum = 0};
  EXPECT_EQ(checked_option(real, std::int64_t{2}), Option(2.0));
  expect_message([&] { checked_option(real, -1.0); }, {"-1", "0 or more"});
  expect_message([&] { checked_option(real, std::nan("")); }, {"nan"});
  expect_message([&] { checked_option(real, true); }, {"true or false", "a number"});
  const OptionInfo list{.name = "x", .default_value = std::vector<double>{1}, .help = ""};
  EXPECT_EQ(checked_option(list, std::vector<std::string>{}), Option(std::vector<double>{}));
  expect_message([&] { checked_option(list, std::vector<std::string>{"a"}); },
                 {"[\"a\"]", "a list of numbers"});
}

TEST(Options, ListsOfIndices) {
  const ModelInfo info{.name = "x", .help = "", .options = {reals_option("layers", {0}, 0, 1023, "")}};
  const auto read = [&](std::vector<double> layers, const IndexRule& rule) {
    return Options(info, {{"layers", std::move(layers)}}).indices("layers", rule, "blocks of y");
  };
  const IndexRule rising{.most = 3}, any{.most = 3, .ascending = false, .may_be_empty = true};
  EXPECT_EQ(read({0, 3}, rising), (std::vector<Index>{0, 3}));
  EXPECT_EQ(read({3, 0}, any), (std::vector<Index>{3, 0}));
  EXPECT_TRUE(read({}, any).empty());
  const std::string allowed =
      "allowed: at least one of the whole numbers from 0 to 3, ascending; blocks of y";
  for (const auto& wrong : std::vector<std::vector<double>>{{4}, {1, 1}, {1, 0}, {0.5}, {}})
    expect_message([&] { read(wrong, rising); }, {"model x: layers = [", allowed});
  for (const auto& wrong : std::vector<std::vector<double>>{{4}, {1, 2, 1}, {0.5}})
    expect_message([&] { read(wrong, any); }, {"allowed: whole numbers from 0 to 3, each once; blocks of y"});
}

TEST(Runtime, ResolvesDevices) {
  EXPECT_EQ(resolve_device("cpu"), "cpu");
  EXPECT_FALSE(torch_version().empty());
  const bool cuda = cuda_description() != "none";
  EXPECT_EQ(resolve_device("auto"), cuda ? "cuda:0" : "cpu");
  if (!cuda) {
    expect_message([] { resolve_device("cuda"); }, {"cuda", "no CUDA device"});
    expect_message([] { resolve_device("cuda:1"); }, {"cuda:1", "no CUDA device"});
  } else {
    expect_message([] { resolve_device("cuda:99"); }, {"cuda:99", "cuda:0"});
  }
  expect_message([] { resolve_device("gpu"); }, {"gpu", "auto, cpu, cuda, cuda:N"});
}

}  // namespace
}  // namespace cinecortex::models
