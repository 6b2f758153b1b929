#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include <fstream>
#include <random>

#include "checkpoint.hpp"
#include "models_testing.hpp"
#include "temp_folder.hpp"
#include "text_states.hpp"
#include "text_windows.hpp"

namespace cinecortex::models {
namespace {

using testing::expect_message;
using testing::MadeUpRun;

const std::filesystem::path& weights_folder() {
  static const auto folder = testing::parity_folder() / "llama";
  return folder;
}

/// The texts of make_llama.py.
const std::vector<std::string> texts{"",
                                     "",
                                     "So",
                                     " what are",
                                     " you do",
                                     "ing?",
                                     "",
                                     "",
                                     " Noth",
                                     "ing. ",
                                     "  I mean... ",
                                     "",
                                     "It's 1",
                                     "2 ",
                                     "o'clock. ",
                                     "",
                                     "Ünder",
                                     " the brid",
                                     "ge — ",
                                     "naïve, aren't",
                                     " we?\n",
                                     "",
                                     " ",
                                     "",
                                     "Oh",
                                     "!",
                                     "!",
                                     "!",
                                     " No",
                                     "... ",
                                     "no",
                                     "",
                                     "",
                                     " 日本",
                                     "語 is",
                                     " hard ",
                                     "to read",
                                     " aloud",
                                     ".",
                                     ""};

MadeUpRun run_of(const std::vector<std::string>& rows) {
  MadeUpRun run(1.49, 1.49 * static_cast<double>(rows.size()));
  for (const auto& text : rows)
    run.transcript().push_back({.text = text, .words = {}, .onsets_s = {}, .durations_s = {}});
  run.info().transcript_rows = std::ssize(rows);
  return run;
}

ModelConfig small_config(std::int64_t words, std::map<std::string, Option> options = {}) {
  ModelConfig config;
  config.model = "llama";
  config.weights = weights_folder();
  config.options = std::move(options);
  config.options.try_emplace("layers", std::vector<double>{0, 1, 3});
  config.options["words"] = words;
  return config;
}

MatrixF expected(const std::string& name) {
  const Checkpoint stored(weights_folder() / "expected.safetensors");
  const auto tensor = stored.tensor(name, {std::ssize(texts), 3 * 7 * 16});
  return Eigen::Map<const MatrixF>(tensor.const_data_ptr<float>(), tensor.size(0), tensor.size(1));
}

TEST(TextWindows, AreWhatPythonCuts) {
  Transcript transcript;
  for (const char* text : {"", "a b", "c ", " d", "", " "}) {
    transcript.push_back({.text = text, .words = {}, .onsets_s = {}, .durations_s = {}});
  }
  const auto windows = [&](Index words) {
    const TextWindows cut(transcript, words);
    std::vector<std::string> all;
    for (Index row = 0; row < std::ssize(transcript); ++row) all.emplace_back(cut.at(row));
    return all;
  };
  using Texts = std::vector<std::string>;
  EXPECT_EQ(windows(100), (Texts{" ", "a b", "a bc ", "a bc  d", "a bc  d", "a bc  d "}));
  EXPECT_EQ(windows(4), (Texts{" ", "a b", "a bc ", "a bc  d", "a bc  d", "bc  d "}));
  EXPECT_EQ(windows(2), (Texts{" ", "a b", "bc ", " d", " d", "d "}));
  EXPECT_EQ(windows(1), (Texts{" ", "b", " ", "d", "d", " "}));
}

TEST(TokenTrees, ShareWhatIsAlike) {
  TokenTree tree(1);
  tree.add(TokenSequence{9, 1, 2});
  tree.add(TokenSequence{9, 1, 2, 3});
  EXPECT_FALSE(tree.branched());
  tree.add(TokenSequence{9, 1, 4});
  EXPECT_TRUE(tree.branched());
  tree.add(TokenSequence{9, 1, 4, 5});
  EXPECT_EQ(tree.tokens(), (TokenSequence{1, 2, 3, 4, 5}));
  EXPECT_EQ(tree.positions(), (std::vector<Index>{1, 2, 3, 2, 3}));
  EXPECT_EQ(tree.path(), (std::vector<Index>{0, 3, 4}));
  const std::vector<std::uint8_t> seen{1, 1, 0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 1, 1, 1,
                                       1, 0, 0, 1, 1, 0, 0, 1, 0, 1, 1, 0, 0, 1, 1};
  EXPECT_EQ(tree.visible(), seen);
  TokenTree shorter(0);  // going back without leaving the path, and on from there
  shorter.add(TokenSequence{1, 2, 3});
  shorter.add(TokenSequence{1, 2});
  EXPECT_FALSE(shorter.branched());
  shorter.add(TokenSequence{1, 2, 4});
  EXPECT_TRUE(shorter.branched());
  EXPECT_EQ(shorter.path(), (std::vector<Index>{0, 1, 3}));
}

/// Texts of random tokens: most go on from the one before, some lose their end, some start anew.
std::vector<TokenSequence> random_texts(int count, std::mt19937& random) {
  const auto below = [&](std::uint32_t n) { return static_cast<Index>(random() % n); };
  std::vector<TokenSequence> all;
  TokenSequence text{0};
  for (int i = 0; i < count; ++i) {
    if (below(9) == 0) text.resize(1 + static_cast<std::size_t>(below(3)) % text.size());
    if (below(3) == 0)
      text.resize(std::max<std::size_t>(1, text.size() - static_cast<std::size_t>(below(4)) % text.size()));
    for (Index more = below(6); more > 0; --more) text.push_back(below(300));
    all.push_back(text);
  }
  return all;
}

TEST(TextStatesOfTokens, EqualOneForwardPassEach) {
  const Checkpoint weights(weights_folder());
  const auto config = DecoderConfig::read(weights.config());
  const auto decoder = [&] {
    return Decoder(weights, config, DecoderNames::find(weights), {}, Decoder::Head::none);
  };
  const Decoder plain = decoder();
  std::mt19937 random(7);
  for (const std::vector<Index>& layers : {std::vector<Index>{0, 1, 3}, {2}}) {
    TextStates states(decoder(), {.layers = layers, .tokens = 5, .batch = 3});
    for (int repeat = 0; repeat < 12; ++repeat) {
      const auto sequences = random_texts(1 + repeat * 3, random);
      MatrixF rows(std::ssize(sequences), states.width());
      states.compute(sequences, rows);
      const c10::InferenceMode inference;
      for (Index i = 0; i < rows.rows(); ++i) {
        const auto ids = at::tensor(sequences[static_cast<std::size_t>(i)], at::kLong).unsqueeze(0);
        const auto all = plain.hidden_states({.embeddings = plain.embed(ids)}, {.layers = layers});
        std::vector<at::Tensor> wanted;
        for (const auto& state : all) {
          for (Index token = ids.size(1) - 5; token < ids.size(1); ++token) {
            wanted.push_back(state.select(1, std::max<Index>(token, 0)).flatten());
          }
        }
        const auto row = at::cat(wanted);
        const Eigen::Map<const Eigen::RowVectorXf> reference(row.const_data_ptr<float>(), row.numel());
        ASSERT_LE((rows.row(i) - reference).cwiseAbs().maxCoeff(), 1e-5f * reference.cwiseAbs().maxCoeff())
            << "text " << i << " of " << rows.rows();
      }
    }
  }
}

TEST(Llama, GivesTheReferencesRows) {
  const auto run = run_of(texts);
  for (const auto& [name, words] : {std::pair<std::string, std::int64_t>{"rows", 12}, {"rows.long", 1000}}) {
    const MatrixF wanted = expected(name);
    for (const Index chunk : {64, 7, 1}) {
      const auto extractor = make_extractor(small_config(words, {{"batch", std::int64_t{3}}}));
      ASSERT_EQ(extractor->needs(), Needs::text);
      ASSERT_EQ(extractor->rows(run.info()), std::ssize(texts));
      const MatrixF rows = run.extract(*extractor, {0, std::ssize(texts)}, chunk);
      const float difference = (rows - wanted).cwiseAbs().maxCoeff() / wanted.cwiseAbs().maxCoeff();
      fmt::print("{} in chunks of {}: largest difference {:.1e}\n", name, chunk, difference);
      EXPECT_LE(difference, 1e-4f);
    }
  }
}

TEST(Llama, ChunksDoNotMatter) {
  const auto run = run_of(texts);
  for (const std::int64_t words : {5, 1000}) {
    const auto extractor = make_extractor(small_config(words));
    testing::expect_chunks_do_not_matter(run, *extractor, std::ssize(texts));
    // Another run in between.
    const auto other = run_of({"So", " what are", " they doing", "?"});
    const MatrixF first = run.extract(*extractor, {0, 40}, 40);
    other.extract(*extractor, {0, 4}, 2);
    EXPECT_LE((run.extract(*extractor, {20, 40}, 20) - first.bottomRows(20)).cwiseAbs().maxCoeff(),
              1e-6f * first.cwiseAbs().maxCoeff());
  }
}

/// An extraction that was interrupted goes on in another process, with other chunks before the one it does.
TEST(Llama, WhatWasExtractedBeforeDoesNotMatterToTheLastBit) {
  const auto run = run_of(texts);
  for (const std::int64_t words : {5, 1000}) {
    const auto busy = make_extractor(small_config(words)), fresh = make_extractor(small_config(words));
    const MatrixF after = run.extract(*busy, {0, 40}, 20);
    EXPECT_EQ(after.bottomRows(20), run.extract(*fresh, {20, 40}, 20)) << words << " words";
  }
}

TEST(Llama, BadInputIsNamed) {
  const auto make = [](std::map<std::string, Option> options) {
    return [options] { make_extractor(small_config(12, options)); };
  };
  expect_message(make({{"layers", std::vector<double>{0, 4}}}), {"layers", "to 3, ascending"});
  expect_message(make({{"layers", std::vector<double>{1, 1}}}), {"layers", "ascending"});
  expect_message(make({{"layers", std::vector<double>{}}}), {"layers", "at least one"});
  expect_message(make({{"type", std::string("float16")}}),
                 {"float16", "allowed on the CPU: auto, float32, bfloat16"});
  expect_message(make({{"gpus", std::int64_t{2}}}), {"gpus = 2"});
  expect_message(make({{"adapter", std::string("/nowhere")}}), {"/nowhere/adapter_config.json"});
  auto config = small_config(12);
  config.weights = weights_folder() / "model.safetensors";
  expect_message([&] { make_extractor(config); }, {"model.safetensors: weights of model llama are a folder"});
  config.weights = testing::parity_folder() / "decoder" / "smollm2";
  expect_message([&] { make_extractor(config); }, {"tokenizer.json"});
  const auto extractor = make_extractor(small_config(12));
  const auto run = run_of({"only one"});
  expect_message(
      [&] {
        run.extract(*extractor, {0, 2}, 2);
      },
      {"s01e01a", "2 transcript rows, but there are 1"});
  std::string many;
  for (int i = 0; i < 600; ++i) many += "? !";
  const auto endless = run_of({many});
  const auto widest = make_extractor(small_config(1'000'000));
  expect_message([&] { endless.extract(*widest, {0, 1}, 1); }, {"s01e01a", "no more than 512"});
}

TEST(Llama, IdentityFollowsWhatMatters) {
  const auto identity = [](std::map<std::string, Option> options) {
    return make_extractor(small_config(12, std::move(options)))->identity();
  };
  const auto plain = identity({});
  EXPECT_EQ(plain, identity({{"batch", std::int64_t{9}}}));
  EXPECT_EQ(plain, identity({{"type", std::string("float32")}})) << "auto on the CPU";
  EXPECT_NE(plain, identity({{"type", std::string("bfloat16")}}));
  EXPECT_NE(plain, identity({{"tokens", std::int64_t{6}}}));
  EXPECT_NE(plain, identity({{"layers", std::vector<double>{0, 1, 2}}}));
}

TEST(Llama, HalfAsManyBitsAreClose) {
  const auto run = run_of(texts);
  const auto extractor = make_extractor(small_config(1000, {{"type", std::string("bfloat16")}}));
  const MatrixF rows = run.extract(*extractor, {0, 40}, 40), wanted = expected("rows.long");
  const float correlation = (rows.array() * wanted.array()).sum() / (rows.norm() * wanted.norm());
  EXPECT_GT(correlation, 0.99f);
}

}  // namespace
}  // namespace cinecortex::models
