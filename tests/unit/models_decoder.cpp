#include "decoder.hpp"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include <fstream>

#include "generation.hpp"
#include "models_testing.hpp"
#include "temp_folder.hpp"

namespace cinecortex::models {
namespace {

using testing::expect_message;

std::filesystem::path fixture(const std::string& name) {
  return testing::parity_folder() / "decoder" / name;
}

/// One of the reference's models, with or without its adapter.
struct Case {
  std::string name;
  bool adapted;
};
void PrintTo(const Case& each, std::ostream* out) {
  *out << each.name << (each.adapted ? "Adapted" : "");
}

class DecoderParity : public ::testing::TestWithParam<Case> {
 protected:
  DecoderParity()
      : weights_(fixture(GetParam().name), GetParam().adapted ? fixture(GetParam().name) / "adapter" : ""),
        expected_(fixture(GetParam().name) / "expected.safetensors"),
        decoder_(weights_, DecoderConfig::read(weights_.config()), DecoderNames::find(weights_), {},
                 Decoder::Head::logits),
        ids_(expected_.tensor("ids", {2, Checkpoint::any})) {}

  at::Tensor expected(const std::string& name) const {
    const auto full = (GetParam().adapted ? "adapted." : "") + name;
    return expected_.tensor(full, expected_.shape(full));
  }

  /// The largest difference over the largest value, printed.
  void compare(const std::string& what, const at::Tensor& found, const at::Tensor& wanted) const {
    ASSERT_EQ(found.sizes(), wanted.sizes()) << what;
    const double difference =
        (found.to(at::kDouble) - wanted).abs().max().item<double>() / wanted.abs().max().item<double>();
    fmt::print("{}{} {}: largest difference {:.1e}\n", GetParam().name, GetParam().adapted ? " adapted" : "",
               what, difference);
    EXPECT_LE(difference, 1e-4) << what;
  }

  WantedStates every_layer() const {
    WantedStates wanted;
    for (Index i = 0; i <= decoder_.config().layers; ++i) wanted.layers.push_back(i);
    return wanted;
  }

  std::vector<at::Tensor> states(const at::Tensor& ids, KeyValueCache* cache,
                                 const WantedStates& wanted) const {
    return decoder_.hidden_states({.embeddings = decoder_.embed(ids), .cache = cache}, wanted);
  }

  const c10::InferenceMode inference_;
  Checkpoint weights_, expected_;
  Decoder decoder_;
  at::Tensor ids_;
};

TEST_P(DecoderParity, EveryHiddenState) {
  const auto mask = at::arange(ids_.size(1)) < expected_.tensor("lengths", {2}).unsqueeze(1);
  const auto found = states(ids_, nullptr, every_layer());
  ASSERT_EQ(found.size(), static_cast<std::size_t>(decoder_.config().layers) + 1);
  for (std::size_t i = 0; i < found.size(); ++i) {
    const auto name = fmt::format("hidden.{}", i);
    compare(name, found[i] * mask.unsqueeze(-1), expected(name));
  }
}

TEST_P(DecoderParity, ChosenTokensOfSomeLayers) {
  const auto tokens = at::tensor({3, 14, 14, 0, 2, 8}, at::kLong).reshape({2, 3});
  const Index last = decoder_.config().layers;
  for (const std::vector<Index>& layers : {std::vector<Index>{0}, {1}, {0, 1, last}, {last}}) {
    for (const bool cached : {false, true}) {
      KeyValueCache cache;
      const auto found = states(ids_, cached ? &cache : nullptr, {.layers = layers, .tokens = tokens});
      ASSERT_EQ(found.size(), layers.size());
      for (std::size_t i = 0; i < layers.size(); ++i) {
        const auto all = expected(fmt::format("hidden.{}", layers[i]));
        compare(fmt::format("hidden.{} of chosen tokens", layers[i]), found[i],
                all.gather(1, tokens.unsqueeze(-1).expand({2, 3, all.size(2)})));
      }
    }
  }
}

TEST_P(DecoderParity, PiecesThroughTheCache) {
  const auto one = ids_.narrow(0, 0, 1);
  for (const std::vector<Index>& pieces : {std::vector<Index>{15}, {1, 14}, {6, 5, 1, 3}}) {
    KeyValueCache cache;
    Index begin = 0;
    std::vector<at::Tensor> joined(static_cast<std::size_t>(decoder_.config().layers) + 1);
    for (const Index size : pieces) {
      const auto part = states(one.narrow(1, begin, size), &cache, every_layer());
      for (std::size_t i = 0; i < joined.size(); ++i) {
        joined[i] = joined[i].defined() ? at::cat({joined[i], part[i]}, 1) : part[i];
      }
      begin += size;
      ASSERT_EQ(cache.length(), begin);
    }
    for (std::size_t i = 0; i < joined.size(); ++i) {
      const auto name = fmt::format("hidden.{}", i);
      compare(fmt::format("{} in {} pieces", name, pieces.size()), joined[i], expected(name).narrow(0, 0, 1));
    }
  }
}

TEST_P(DecoderParity, BranchesOfOneTrunk) {
  // Two continuations of the same 6 tokens side by side: 6 … 14 of sequence 0, and three others.
  const auto row = ids_.select(0, 0);
  const auto others = (row.narrow(0, 6, 3) + 1).remainder(decoder_.config().vocabulary);
  KeyValueCache cache;
  states(row.narrow(0, 0, 6).unsqueeze(0), &cache, {});
  const auto tokens = at::cat({others, row.narrow(0, 6, 9)}).unsqueeze(0);
  auto visible = at::ones({12, 18}, at::kBool).tril(6);
  visible.slice(0, 3).slice(1, 6, 9).fill_(false);  // the trunk's own continuation does not see the other
  const auto positions = at::cat({at::arange(6, 9), at::arange(6, 15)});
  const auto found = decoder_.hidden_states(
      {.embeddings = decoder_.embed(tokens), .cache = &cache, .positions = positions, .visible = visible},
      every_layer());
  const auto last = expected(fmt::format("hidden.{}", decoder_.config().layers));
  compare("branch", found.back().narrow(1, 3, 9), last.narrow(0, 0, 1).narrow(1, 6, 9));
  const auto alone = states(at::cat({row.narrow(0, 0, 6), others}).unsqueeze(0), nullptr, every_layer());
  compare("other branch", found.back().narrow(1, 0, 3), alone.back().narrow(1, 6, 3));
  cache.keep(6, at::arange(9, 15));  // the first six of the trunk's continuation
  const auto rest = states(row.narrow(0, 12, 3).unsqueeze(0), &cache, every_layer());
  compare("after keeping a branch", rest.back(), last.narrow(0, 0, 1).narrow(1, 12, 3));
}

TEST_P(DecoderParity, GreedyTokens) {
  const auto prompt = ids_.select(0, 0).contiguous();
  const auto wanted = expected("greedy");
  Sampling sampling{.most_tokens = wanted.size(0)};
  const std::span<const std::int64_t> start(prompt.const_data_ptr<std::int64_t>(), 8);
  const auto made = generate(decoder_, start, sampling);
  EXPECT_TRUE(at::equal(at::tensor(made, at::kLong), wanted));
  sampling.stop = {made.at(4)};
  const auto stopped = generate(decoder_, start, sampling);
  EXPECT_LE(stopped.size(), 4u);
  EXPECT_TRUE(std::equal(stopped.begin(), stopped.end(), made.begin()));
}

TEST_P(DecoderParity, SampledTokens) {
  const std::vector<std::int64_t> prompt{1, 2, 3};
  const auto sample = [&](double temperature, Index top_k, double top_p, std::uint64_t seed) {
    return generate(
        decoder_, prompt,
        {.most_tokens = 12, .temperature = temperature, .top_k = top_k, .top_p = top_p, .seed = seed});
  };
  const auto greedy = sample(0, 0, 1, 0);
  EXPECT_EQ(sample(5, 1, 1, 1), greedy) << "out of one token";
  EXPECT_EQ(sample(5, 0, 1e-9, 1), greedy) << "out of the most probable token";
  EXPECT_EQ(sample(1, 0, 0.9, 7), sample(1, 0, 0.9, 7));
  EXPECT_NE(sample(5, 0, 1, 7), sample(5, 0, 1, 8));
}

INSTANTIATE_TEST_SUITE_P(Reference, DecoderParity,
                         ::testing::Values(Case{"llama3", false}, Case{"llama3", true}, Case{"qwen2", false},
                                           Case{"qwen2", true}, Case{"smollm2", false},
                                           Case{"smollm2", true}),
                         ::testing::PrintToStringParamName());

TEST(DecoderSampling, FollowsTheProbabilities) {
  const Checkpoint weights(fixture("smollm2"));
  const Decoder decoder(weights, DecoderConfig::read(weights.config()), DecoderNames::find(weights), {},
                        Decoder::Head::logits);
  const c10::InferenceMode inference;
  const std::vector<std::int64_t> prompt{5, 6};
  const auto states = decoder.hidden_states(
      {.embeddings = decoder.embed(at::tensor(prompt, at::kLong).unsqueeze(0))}, {.layers = {2}});
  const auto probabilities = (decoder.logits(states[0]).select(1, 1).flatten() / 3.0).softmax(0);
  const int draws = 2000;
  auto counts = at::zeros({decoder.config().vocabulary});
  for (int seed = 0; seed < draws; ++seed) {
    const auto made =
        generate(decoder, prompt,
                 {.most_tokens = 1, .temperature = 3, .seed = static_cast<std::uint64_t>(seed) * 7919});
    counts[made.at(0)] += 1;
  }
  const auto expected = probabilities * draws;
  const auto deviation = (counts - expected) / (expected * (1 - probabilities)).clamp_min(1).sqrt();
  EXPECT_LT(deviation.abs().max().item<double>(), 5) << "standard errors";
}

TEST(DecoderErrors, AreNamed) {
  const Checkpoint weights(fixture("smollm2"));
  const auto config = DecoderConfig::read(weights.config());
  const Decoder decoder(weights, config, DecoderNames::find(weights), {}, Decoder::Head::none);
  expect_message(
      [&] {
        decoder.embed(at::tensor({89, 90}, at::kLong));
      },
      {"token id 90: the model has 90 tokens", "tokenizer"});
  const auto many = decoder.embed(at::zeros({1, 65}, at::kLong));
  expect_message([&] { decoder.hidden_states({.embeddings = many}, {.layers = {2}}); },
                 {"65 tokens", "no more than 64 (max_position_embeddings)"});
  expect_message([&] { generate(decoder, {}, {}); }, {"no tokens"});
  expect_message([&] { generate(decoder, std::vector<std::int64_t>{1}, {.top_p = 0}); }, {"top_p = 0"});
  expect_message([&] { DecoderNames::find(Checkpoint(fixture("convolutions"))); },
                 {"no tensor model.embed_tokens.weight"});
  auto larger = config;
  larger.layers = 3;
  expect_message([&] { Decoder(weights, larger, DecoderNames::find(weights), {}, Decoder::Head::none); },
                 {"no tensor model.layers.2."});
}

TEST(DecoderErrors, MemoryIsCheckedBeforeLoading) {
  const Checkpoint weights(fixture("smollm2"));
  auto config = DecoderConfig::read(weights.config());
  config.layers = 10'000;
  config.mlp_width = 1 << 22;
  expect_message(
      [&] { Decoder(weights, config, DecoderNames::find(weights), {}, Decoder::Head::none); },
      {"bytes", "of weights as float32 do not fit cpu, which has", "bfloat16\" (half of float32)"});
}

TEST(DecoderErrors, WhatDoesNotFitAGpuIsNamedWithItsBytes) {
  const Placement two{.devices = {at::Device(at::kCUDA, 0), at::Device(at::kCUDA, 1)}, .type = at::kFloat};
  EXPECT_NO_THROW(check_memory("Llama", two, {500, 600}, {500, 600}));
  expect_message(
      [&] {
        check_memory("Llama", two, {500, 600}, {500, 599});
      },
      {"Llama: 600 bytes", "as float32 do not fit cuda:1, which has 599 bytes", "bfloat16",
       "gpus = N (layers split over N of the rank's GPUs)"});
}

TEST(DecoderPlacement, TypesAndDevices) {
  EXPECT_EQ(make_placement("cpu", "auto").type, at::kFloat);
  EXPECT_EQ(make_placement("cpu", "bfloat16").type, at::kBFloat16);
  expect_message([] { make_placement("cpu", "float16"); },
                 {"type = \"float16\": allowed on the CPU: auto, float32"});
  expect_message([] { make_placement("cpu", "auto", 2); }, {"gpus = 2: allowed on the CPU: 1"});
}

TEST(DecoderPlacement, HalfAsManyBits) {
  const c10::InferenceMode inference;
  const Checkpoint weights(fixture("llama3")), expected(fixture("llama3") / "expected.safetensors");
  const Decoder decoder(weights, DecoderConfig::read(weights.config()), DecoderNames::find(weights),
                        {.devices = {at::kCPU}, .type = at::kBFloat16}, Decoder::Head::none);
  const auto ids = expected.tensor("ids", {2, 15}).narrow(0, 0, 1);
  const auto found = decoder.hidden_states({.embeddings = decoder.embed(ids)}, {.layers = {3}});
  const auto wanted = expected.tensor("hidden.3", {2, 15, 32}).narrow(0, 0, 1);
  EXPECT_EQ(found[0].scalar_type(), at::kBFloat16);
  EXPECT_GT(at::cosine_similarity(found[0].to(at::kFloat), wanted, -1).min().item<double>(), 0.995);
}

TEST(DecoderConfiguration, OldAndNewKeys) {
  const cinecortex::testing::TempFolder folder;
  const auto read = [&](const std::string& extra) {
    std::ofstream(folder / "config.json")
        << R"({"model_type":"llama","num_hidden_layers":1,"hidden_size":8,"num_attention_heads":2,
               "intermediate_size":8,"vocab_size":9,"max_position_embeddings":131072)"
        << extra << "}";
    return DecoderConfig::read(ConfigJson(folder / "config.json"));
  };
  const auto llama31 = read(R"(,"rope_theta":500000.0,"rope_scaling":{"rope_type":"llama3","factor":8.0,
      "low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":8192})");
  EXPECT_EQ(llama31.rope.kind, RopeConfig::Kind::llama3);
  EXPECT_EQ(llama31.rope.theta, 500000);
  EXPECT_EQ(llama31.kv_heads, 2);
  const auto linear =
      rope_frequencies(read(R"(,"rope_theta":100,"rope_scaling":{"type":"linear","factor":4.0})"));
  EXPECT_TRUE(at::allclose(linear, at::tensor({0.25f, 0.025f})));
  EXPECT_TRUE(at::allclose(rope_frequencies(read(R"(,"rope_scaling":{"type":"dynamic","factor":2.0})")),
                           at::tensor({1.0f, 0.01f})));
  expect_message([&] { read(R"(,"rope_scaling":{"rope_type":"yarn","factor":4.0})"); },
                 {"rope_scaling.rope_type = \"yarn\": allowed: default, linear, dynamic, llama3"});
  expect_message([&] { read(R"(,"hidden_act":"gelu")"); }, {"hidden_act = \"gelu\": allowed: silu"});
  expect_message([&] { read(R"(,"num_key_value_heads":3)"); }, {"num_key_value_heads = 3"});
  expect_message([&] { read(R"(,"use_sliding_window":true)"); }, {"use_sliding_window = true"});
  expect_message([&] { read(R"(,"head_dim":5)"); }, {"head_dim = 5: allowed: even"});
  expect_message(
      [&] { DecoderConfig::read(ConfigJson(fixture("convolutions") / "adapter/adapter_config.json")); },
      {"model_type is missing"});
}

TEST(LoraOfPeft, MergesLinearAndConvolutionLayers) {
  const Checkpoint weights(fixture("convolutions"), fixture("convolutions") / "adapter");
  const Checkpoint expected(fixture("convolutions") / "expected.safetensors");
  for (const auto& name : expected.names()) {
    const auto shape = expected.shape(name);
    const auto difference =
        (weights.tensor(name, shape) - expected.tensor(name, shape)).abs().max().item<double>();
    fmt::print("{}: largest difference {:.1e}\n", name, difference);
    EXPECT_LE(difference, 1e-6) << name;
  }
}

}  // namespace
}  // namespace cinecortex::models
