// InternVL's parts against transformers: tests/parity/internvl/make_internvl.py.
#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <fstream>

#include "checkpoint.hpp"
#include "decoder.hpp"
#include "internvl_config.hpp"
#include "internvl_network.hpp"
#include "internvl_vision.hpp"
#include "models_testing.hpp"
#include "tokenizer.hpp"

namespace cinecortex::models::internvl {
namespace {

using testing::expect_message;

std::filesystem::path folder() {
  return testing::parity_folder().parent_path() / "internvl";
}

at::Tensor expected(const std::string& name) {
  static const Checkpoint file(folder() / "expected.safetensors");
  return file.load(name, file.shape(name), at::kCPU, at::kFloat);
}

/// Largest difference, relative to the largest value.
double difference(const at::Tensor& found, const at::Tensor& reference) {
  EXPECT_EQ(found.sizes(), reference.sizes());
  return ((found.to(at::kFloat) - reference).abs().max() / reference.abs().max()).item<double>();
}

void expect_close(const std::string& what, const at::Tensor& found, const at::Tensor& reference,
                  double tolerance = 1e-4) {
  const double off = difference(found, reference);
  std::printf("  %-40s off by %.1e\n", what.c_str(), off);
  EXPECT_LE(off, tolerance) << what;
}

/// A folder of weights, an adapter for it, and what they are compared with.
struct Case {
  std::string weights, adapter, reference;
};
std::vector<Case> cases() {
  return {{"layernorm", "", "layernorm"},      {"original", "", "layernorm"},
          {"rmsnorm", "", "rmsnorm"},          {"rmsnorm-original", "", "rmsnorm"},
          {"layernorm", "adapter", "adapter"}, {"original", "adapter-original", "adapter"}};
}
std::string label(const Case& one) {
  return one.weights + (one.adapter.empty() ? "" : " + " + one.adapter);
}

Vision make_vision(const Checkpoint& weights, at::ScalarType type = at::kFloat) {
  const Layout layout = Layout::of(weights);
  return Vision([&](const std::string& name,
                    at::IntArrayRef shape) { return weights.load(layout.name(name), shape, at::kCPU, type); },
                read_shape(weights.config(), layout), layout.fused());
}

/// The pictures of make_internvl.py: uint8 [count, 28, 28, 3].
at::Tensor pictures(Index count) {
  at::Tensor rgb = at::empty({count, 28, 28, 3}, at::kByte);
  auto* out = rgb.data_ptr<std::uint8_t>();
  for (Index number = 0; number < count; ++number) {
    for (Index y = 0; y < 28; ++y) {
      for (Index x = 0; x < 28; ++x) {
        for (Index c = 0; c < 3; ++c) {
          *out++ = static_cast<std::uint8_t>((37 * x + 91 * y + 53 * c + 29 * number + 7 * x * y) % 256);
        }
      }
    }
  }
  return rgb;
}

TEST(InternVlVision, EveryStateEqualsTheReference) {
  const c10::InferenceMode inference;
  for (const Case& one : cases()) {
    std::printf("%s\n", label(one).c_str());
    const Checkpoint weights(folder() / one.weights,
                             one.adapter.empty() ? std::filesystem::path() : folder() / one.adapter);
    const Vision vision = make_vision(weights);
    const auto pixels = vision.normalised(pictures(8));
    at::Tensor states = vision.embed(pixels);
    const std::string name = one.reference + ".vision.";
    expect_close("embeddings", states.narrow(0, 0, 2), expected(name + "embed"));
    for (Index i = 0; i < 2; ++i) {
      vision.block(i, states);
      expect_close("block " + std::to_string(i), states.narrow(0, 0, 2), expected(name + std::to_string(i)));
    }
    EXPECT_TRUE(at::equal(vision.encode(pixels), states));
    expect_close("image tokens", vision.project(states), expected(one.reference + ".image"));
    expect_close("class tokens", states.select(1, 0).flatten(), expected(one.reference + ".vit"));
  }
}

TEST(InternVlVision, HalfPrecisionIsCloseToSingle) {
  const c10::InferenceMode inference;
  for (const Case& one : cases()) {
    const Checkpoint weights(folder() / one.weights);
    const Vision single = make_vision(weights), half = make_vision(weights, at::kBFloat16);
    const auto reference = single.encode(single.normalised(pictures(3)));
    const auto found = half.encode(half.normalised(pictures(3)));
    EXPECT_EQ(found.scalar_type(), at::kBFloat16);
    EXPECT_LE(difference(found, reference), 0.03) << label(one);
    EXPECT_LE(difference(half.project(found), single.project(reference)), 0.05) << label(one);
  }
}

// ---- language model and readings

Network make_network(const Case& one, const std::string& type = "float32") {
  return Network({.weights = folder() / one.weights,
                  .adapter = one.adapter.empty() ? std::filesystem::path() : folder() / one.adapter,
                  .placement = make_placement("cpu", type)});
}

/// A prompt of ids that make_internvl.py tokenised.
Prompt prompt_of(const Tokenizer& tokenizer, const std::string& name) {
  const at::Tensor ids = expected(name).to(at::kLong);
  Prompt prompt{.ids = {ids.const_data_ptr<std::int64_t>(), ids.const_data_ptr<std::int64_t>() + ids.numel()},
                .pictures = {},
                .own = {}};
  Index end = 0;
  for (Index i = 0; i < ids.numel(); ++i) {
    if (prompt.ids[static_cast<std::size_t>(i)] == tokenizer.id("<img>")) prompt.pictures.push_back(i + 1);
    if (prompt.ids[static_cast<std::size_t>(i)] == tokenizer.id("</img>")) end = i;
  }
  prompt.own = {std::min(end + 2, ids.numel() - 1), ids.numel()};
  return prompt;
}

// The language model's states with the pictures' tokens in place; transformers shows the last block's behind the norm only.
TEST(InternVlNetwork, EveryStateOfTheLanguageModelEqualsTheReference) {
  const c10::InferenceMode inference;
  for (const Case& one : cases()) {
    std::printf("%s\n", label(one).c_str());
    const Checkpoint weights(folder() / one.weights,
                             one.adapter.empty() ? std::filesystem::path() : folder() / one.adapter);
    const Layout layout = Layout::of(weights);
    const Decoder decoder(weights, DecoderConfig::read(weights.config().part(layout.language_config())),
                          {.body = layout.language_prefix(), .head = {}}, make_placement("cpu", "float32"),
                          Decoder::Head::none);
    const Vision vision = make_vision(weights);
    const at::Tensor tokens = vision.project(vision.encode(vision.normalised(pictures(8))));
    const Prompt prompt = prompt_of(Tokenizer(folder() / one.weights / "tokenizer.json"), "prompt.1000.6");
    at::Tensor states = decoder.embed(at::tensor(prompt.ids, at::kLong));
    for (Index i = 0; i < 8; ++i) {
      states.narrow(0, prompt.pictures[static_cast<std::size_t>(i)], 4).copy_(tokens[i]);
    }
    const auto found =
        decoder.hidden_states({.embeddings = states.unsqueeze(0), .positions = {}, .visible = {}},
                              {.layers = {1, 2, 3, 4}, .tokens = {}});
    const std::vector<std::string> names{"0", "1", "2", "norm"};
    for (std::size_t i = 0; i < names.size(); ++i) {
      expect_close("language model " + names[i], found[i][0].slice(0, 0, std::nullopt, 3),
                   expected(one.reference + ".language." + names[i]));
    }
  }
}

at::Tensor tensor_of(const MatrixF& matrix) {
  return at::from_blob(const_cast<float*>(matrix.data()), {matrix.rows(), matrix.cols()}, at::kFloat).clone();
}

/// All three readings of some prompts with the same eight pictures.
struct ThreeReadings {
  MatrixF img, text, vit;
  ThreeReadings(Network& network, const std::vector<Prompt>& prompts,
                const std::vector<Index>& layers = {2, 1, 0})
      : img(std::ssize(prompts), 8 * 24),
        text(std::ssize(prompts), 4 * 24),
        vit(std::ssize(prompts), 8 * 16) {
    const at::Tensor rgb = pictures(8).repeat({std::ssize(prompts), 1, 1, 1});
    network.run(prompts, rgb.const_data_ptr<std::uint8_t>(), layers, 10,
                {.img = img, .text = text, .vit = vit});
  }
};

TEST(InternVlNetwork, ReadingsEqualTheReference) {
  for (const Case& one : cases()) {
    std::printf("%s\n", label(one).c_str());
    Network network = make_network(one);
    const Tokenizer tokenizer(folder() / one.weights / "tokenizer.json");
    const ThreeReadings found(network, {prompt_of(tokenizer, "prompt.1000.6")});
    expect_close("img", tensor_of(found.img)[0], expected(one.reference + ".img"));
    expect_close("text", tensor_of(found.text)[0], expected(one.reference + ".text"));
    expect_close("vit", tensor_of(found.vit)[0], expected(one.reference + ".vit"));
  }
}

// What a prompt has in common with the one before is not computed again, whatever came before.
TEST(InternVlNetwork, SharedWordsChangeNothing) {
  Network network = make_network(cases()[0]);
  const Tokenizer tokenizer(folder() / "layernorm" / "tokenizer.json");
  std::vector<Prompt> prompts;
  for (const char* name : {"prompt.1000.0", "prompt.1000.3", "prompt.1000.4", "prompt.1000.4", "prompt.6.6",
                           "prompt.1000.10", "prompt.1000.9", "prompt.1000.1"}) {
    prompts.push_back(prompt_of(tokenizer, name));
  }
  const ThreeReadings together(network, prompts);
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    Network fresh = make_network(cases()[0]);
    const ThreeReadings alone(fresh, {prompts[i]});
    const auto row = static_cast<Index>(i);
    EXPECT_LE((together.img.row(row) - alone.img).cwiseAbs().maxCoeff(), 2e-5f) << i;
    EXPECT_LE((together.text.row(row) - alone.text).cwiseAbs().maxCoeff(), 2e-5f) << i;
    EXPECT_LE((together.vit.row(row) - alone.vit).cwiseAbs().maxCoeff(), 2e-5f) << i;
  }
}

TEST(InternVlNetwork, LayersComeInTheOrderAskedFor) {
  Network network = make_network(cases()[0]);
  const Tokenizer tokenizer(folder() / "layernorm" / "tokenizer.json");
  const std::vector<Prompt> prompts{prompt_of(tokenizer, "prompt.1000.6")};
  const ThreeReadings one(network, prompts, {2, 1, 0}), other(network, prompts, {0, 2, 1});
  EXPECT_LE((one.text.middleCols(24, 24) - other.text.middleCols(48, 24)).cwiseAbs().maxCoeff(), 2e-5f);
  EXPECT_LE((one.text.rightCols(24) - other.text.middleCols(24, 24)).cwiseAbs().maxCoeff(), 2e-5f);
  EXPECT_LE((one.text.leftCols(24) - other.text.leftCols(24)).cwiseAbs().maxCoeff(), 2e-5f);
}

TEST(InternVlNetwork, HalfPrecisionIsCloseToSingle) {
  const Tokenizer tokenizer(folder() / "layernorm" / "tokenizer.json");
  const std::vector<Prompt> prompts{prompt_of(tokenizer, "prompt.1000.3"),
                                    prompt_of(tokenizer, "prompt.1000.6")};
  Network single = make_network(cases()[1]), half = make_network(cases()[1], "bfloat16");
  const ThreeReadings reference(single, prompts), found(half, prompts);
  EXPECT_LE(difference(tensor_of(found.img), tensor_of(reference.img)), 0.1);
  EXPECT_LE(difference(tensor_of(found.text), tensor_of(reference.text)), 0.1);
  EXPECT_LE(difference(tensor_of(found.vit), tensor_of(reference.vit)), 0.03);
}

// ---- the model

ModelConfig config_of(const std::string& weights) {
  ModelConfig config;
  config.model = "internvl";
  config.weights = folder() / weights;
  config.options = {
      {"layers", std::vector<double>{2, 0}}, {"frames", std::int64_t{3}}, {"words", std::int64_t{6}}};
  return config;
}

std::vector<MatrixF> extract(Extractor& extractor, const testing::MadeUpRun& run, const Transcript& words,
                             Range rows, Index chunk) {
  std::vector<MatrixF> whole;
  for (const auto& reading : extractor.readings()) whole.emplace_back(rows.size(), reading.width);
  for (Index begin = rows.begin; begin < rows.end; begin += chunk) {
    const Range part{begin, std::min(rows.end, begin + chunk)};
    const FrameStack frames = run.frames(*extractor.frame_request(run.info(), part));
    std::vector<MatrixF> outputs;
    for (const MatrixF& reading : whole) outputs.emplace_back(part.size(), reading.cols());
    extractor.extract({.info = run.info(), .frames = &frames, .audio = {}, .transcript = words}, part,
                      outputs);
    for (std::size_t i = 0; i < whole.size(); ++i) {
      whole[i].middleRows(begin - rows.begin, part.size()) = outputs[i];
    }
  }
  return whole;
}

TEST(InternVl, ChunksAndBatchesDoNotMatter) {
  const testing::MadeUpRun run(1.49, 13.4);
  Transcript words;
  for (const char* text :
       {"", "Hello there, ", "Megamind! ", "", "...what is the, the ", "we've met... ", ""}) {
    words.push_back({text, {}, {}, {}});
  }
  auto config = config_of("rmsnorm");
  const auto one = make_extractor(config);
  EXPECT_EQ(one->rows(run.info()), 9) << "two TRs more than the transcript";
  const auto whole = extract(*one, run, words, {0, 9}, 9);
  ASSERT_EQ(whole[0].cols(), 3 * 24);
  ASSERT_EQ(whole[1].cols(), 3 * 24);
  ASSERT_EQ(whole[2].cols(), 3 * 16);
  config.options["batch"] = std::int64_t{4};
  const auto four = make_extractor(config);
  EXPECT_EQ(one->identity(), four->identity()) << "a batch changes no result";
  for (const Index chunk : {1, 2, 5, 9}) {
    const auto pieces = extract(chunk == 1 ? *one : *four, run, words, {0, 9}, chunk);
    for (std::size_t i = 0; i < whole.size(); ++i) {
      EXPECT_TRUE(whole[i].allFinite());
      EXPECT_LE((pieces[i] - whole[i]).cwiseAbs().maxCoeff(), 1e-5f * whole[i].cwiseAbs().maxCoeff())
          << "chunks of " << chunk << ", reading " << i;
    }
  }
}

TEST(InternVl, WhatWasExtractedBeforeDoesNotMatterToTheLastBit) {
  const testing::MadeUpRun run(1.49, 8.9);
  Transcript words;
  for (const char* text : {"Hello there, ", "Megamind! ", "", "the, the ", "we've met... ", "the "})
    words.push_back({text, {}, {}, {}});
  const auto busy = make_extractor(config_of("rmsnorm")), fresh = make_extractor(config_of("rmsnorm"));
  const auto after = extract(*busy, run, words, {0, 6}, 3), alone = extract(*fresh, run, words, {3, 6}, 3);
  for (std::size_t i = 0; i < after.size(); ++i) EXPECT_EQ(after[i].bottomRows(3), alone[i]) << i;
}

TEST(InternVl, AsksForThePicturesOfATr) {
  const auto extractor = make_extractor(config_of("original"));
  const auto request = extractor->frame_request({}, {2, 4});
  ASSERT_EQ(request->times_s.size(), 6u);
  EXPECT_DOUBLE_EQ(request->times_s[0], 1.49 * (2 + 0.5 / 3));
  EXPECT_DOUBLE_EQ(request->times_s[5], 1.49 * (3 + 2.5 / 3));
  EXPECT_EQ(request->height, 28);
  EXPECT_EQ(request->width, 28);
  EXPECT_EQ(request->fit, FrameFit::stretch);
  EXPECT_EQ(request->interpolation, Interpolation::bicubic_pillow);
}

TEST(InternVl, IdentityFollowsWeightsAndSettings) {
  const auto identity = [](const ModelConfig& config) { return make_extractor(config)->identity(); };
  const auto plain = identity(config_of("layernorm"));
  EXPECT_EQ(plain, identity(config_of("layernorm")));
  EXPECT_NE(plain, identity(config_of("original")));
  auto adapted = config_of("layernorm");
  adapted.options["adapter"] = (folder() / "adapter").string();
  EXPECT_NE(plain, identity(adapted));
  for (const auto& [name, value] : std::map<std::string, Option>{{"tokens", std::int64_t{9}},
                                                                 {"words", std::int64_t{7}},
                                                                 {"layers", std::vector<double>{0, 2}},
                                                                 {"type", std::string("bfloat16")}}) {
    auto other = config_of("layernorm");
    other.options[name] = value;
    EXPECT_NE(plain, identity(other)) << name;
  }
}

TEST(InternVl, RefusesLayersItDoesNotHave) {
  const auto with = [](std::vector<double> layers) {
    auto config = config_of("layernorm");
    config.options["layers"] = std::move(layers);
    return [config] { make_extractor(config); };
  };
  expect_message(with({3}), {"layers = [3]", "0 to 2", "4 blocks"});
  expect_message(with({1, 1}), {"layers = [1, 1]", "each once"});
  expect_message(with({0.5}), {"layers", "whole numbers"});
}

}  // namespace
}  // namespace cinecortex::models::internvl
