#include <fmt/format.h>

#include <cstring>
#include <fstream>

#include "cinecortex/io/safetensors.hpp"
#include "models_testing.hpp"
#include "temp_folder.hpp"
#include "whisper_clip.hpp"
#include "whisper_encoder.hpp"
#include "whisper_mel.hpp"

namespace cinecortex::models::whisper {
namespace {

using testing::expect_message;
using testing::MadeUpRun;

std::filesystem::path folder(const std::string& name) {
  return testing::parity_folder() / "whisper" / name;
}

/// A tensor of the reference as a matrix whose columns are its last dimension.
MatrixF reference(const std::string& name) {
  const io::Safetensors file(folder("reference.safetensors"));
  const auto& stored = file.at(name);
  const Index columns = stored.shape.back();
  MatrixF values(static_cast<Index>(stored.bytes.size() / sizeof(float)) / columns, columns);
  std::memcpy(values.data(), stored.bytes.data(), stored.bytes.size());
  return values;
}

/// The sound that make_whisper.py makes.
std::vector<float> made_up_sound(Index samples) {
  std::vector<float> sound(static_cast<std::size_t>(samples));
  std::uint32_t state = 1;
  for (Index i = 0; i < samples; ++i) {
    state = 1664525u * state + 1013904223u;
    const double t = static_cast<double>(i) / 16000;
    const double value = 0.3 * std::sin(2 * std::numbers::pi * (200 + 900 * t) * t) +
                         0.02 * (static_cast<double>(state) / 2147483648.0 - 1);
    sound[static_cast<std::size_t>(i)] =
        i >= samples / 3 && i < samples / 2 ? 0.0f : static_cast<float>(value);
  }
  return sound;
}

/// The largest difference over the largest value, printed.
float expect_near_reference(const std::string& what, const MatrixF& ours, const MatrixF& theirs,
                            float limit) {
  EXPECT_EQ(ours.rows(), theirs.rows()) << what;
  EXPECT_EQ(ours.cols(), theirs.cols()) << what;
  if (ours.size() != theirs.size()) return INFINITY;
  const float off = (ours - theirs).cwiseAbs().maxCoeff() / theirs.cwiseAbs().maxCoeff();
  fmt::print("{:28} largest difference {:.1e} of the largest value\n", what, off);
  EXPECT_LE(off, limit) << what;
  return off;
}

MatrixF spectrogram(const MelSpectrogram& mel, const std::vector<float>& audio, Range clip) {
  MatrixF values(mel.bands(), mel.frames());
  mel.compute(audio, clip, mel.share(audio, std::span(&clip, 1)),
              std::span(values.data(), static_cast<std::size_t>(values.size())));
  return values;
}

std::vector<Index> all_tokens(const Encoder& encoder) {
  std::vector<Index> tokens;
  for (Index i = 0; i < encoder.shape().max_source_positions; ++i) tokens.push_back(i);
  return tokens;
}

TEST(WhisperMel, EqualsTheReferenceProcessor) {
  const auto sound = made_up_sound(27000);
  const MelSpectrogram small(80, 240), large(128, 160);
  // Shorter than the model's length: zeros behind. Longer: cut, and reflected at both ends.
  expect_near_reference("mel80.mel", spectrogram(small, sound, {0, 27000}), reference("mel80.mel"), 1e-4f);
  expect_near_reference("mel128.mel", spectrogram(large, sound, {0, 25600}), reference("mel128.mel"), 1e-4f);
}

TEST(WhisperMel, SharedFramesAreThoseOfEachClipAlone) {
  const MelSpectrogram mel(80, 300);
  const auto sound = made_up_sound(190000);
  for (const double tr_s : {1.49, 1.645, 0.7777}) {
    std::vector<Range> clips;
    for (Index row = 0; row < 7; ++row) clips.push_back(clip_of_row(row, tr_s, 40000, std::ssize(sound)));
    const auto shared = mel.share(sound, clips);
    EXPECT_EQ(shared.size() == 1, tr_s == 1.49) << "only starts that are whole hops apart share frames";
    for (const Range clip : clips) {
      MatrixF together(mel.bands(), mel.frames());
      mel.compute(sound, clip, shared, std::span(together.data(), static_cast<std::size_t>(together.size())));
      const std::vector<float> cut(sound.begin() + clip.begin,
                                   sound.begin() + std::min<Index>(clip.end, std::ssize(sound)));
      const MatrixF alone = spectrogram(mel, cut, {0, std::ssize(cut)});
      EXPECT_LE((together - alone).cwiseAbs().maxCoeff(), 1e-6f) << tr_s << ' ' << clip.begin;
    }
  }
}

TEST(WhisperClip, IsTheSoundUpToTheEndOfTheTr) {
  const Index context = 29 * 16000, sound = 60 * 16000 + 1000;
  EXPECT_EQ(clip_of_row(0, 1.49, context, sound), (Range{0, 23840}));
  EXPECT_EQ(clip_of_row(18, 1.49, context, sound), (Range{0, 19 * 23840}));
  EXPECT_EQ(clip_of_row(19, 1.49, context, sound), (Range{20 * 23840 - context, 20 * 23840}));
  // 40 TRs are 59.6 s: the sound ends inside of the next one, and is silent after that.
  EXPECT_EQ(clip_of_row(40, 1.49, context, sound), (Range{41 * 23840 - context, sound}));
  EXPECT_EQ(clip_of_row(41, 1.49, context, sound), (Range{42 * 23840 - context, 42 * 23840}));
}

TEST(WhisperClip, TokensFollowTheMaskRule) {
  EXPECT_EQ(tokens_per_row(1.49), 75);
  EXPECT_EQ(tokens_per_row(1.5), 75);
  EXPECT_EQ(tokens_per_row(2.0), 100);
  EXPECT_EQ(tokens_per_row(0.01), 1);
  // numpy.round(1450 - numpy.linspace(75, 1, 18))
  const std::vector<Index> full{1375, 1379, 1384, 1388, 1392, 1397, 1401, 1405, 1410,
                                1414, 1419, 1423, 1427, 1432, 1436, 1440, 1445, 1449};
  EXPECT_EQ(token_positions(29 * 16000, 75, 18), full);
  // The first TR: 149 frames are 74.5 tokens, so q = 75 and the oldest is token 0.
  auto first = full;
  for (auto& position : first) position -= 1375;
  EXPECT_EQ(token_positions(23840, 75, 18), first);
  // One sample more opens a frame, but no token; 321 samples more do.
  EXPECT_EQ(token_positions(23841, 75, 18), first);
  EXPECT_EQ(token_positions(24001, 75, 18)[0], 1);
  EXPECT_EQ(token_positions(23200, 75, 18), token_positions(23360, 75, 18));  // 72.5 rounded up to q = 73
  // Clamped: q = 40.
  EXPECT_EQ(token_positions(12800, 75, 18)[0], 0);
  EXPECT_EQ(token_positions(12800, 75, 18)[17], 39);
  // Half to even: q − 5, q − 3.5, q − 2 … for q = 10 and 11.
  EXPECT_EQ(token_positions(3200, 4, 3), (std::vector<Index>{6, 8, 9}));   // 10 − 2.5 = 7.5
  EXPECT_EQ(token_positions(3520, 4, 3), (std::vector<Index>{7, 8, 10}));  // 11 − 2.5 = 8.5
  EXPECT_EQ(token_positions(3200, 4, 1), (std::vector<Index>{6}));
}

/// States of every block at every position against the reference, each block once as an inner and once as the last one.
void expect_hidden_states(const std::string& model, const std::string& adapter, const std::string& expected) {
  const Checkpoint weights(folder(model), adapter.empty() ? "" : folder(adapter));
  const auto shape = EncoderShape::read(weights.config());
  const MatrixF mel = reference(model + ".mel"), states = reference(expected);
  const std::span<const float> input(mel.data(), static_cast<std::size_t>(mel.size()));
  const Index positions = states.rows() / (shape.encoder_layers + 1), width = states.cols();
  std::vector<Index> layers;
  for (Index last = 0; last < shape.encoder_layers; ++last) {
    layers.push_back(last);
    const Encoder encoder(weights, shape, {}, layers);
    const std::vector<std::vector<Index>> tokens{all_tokens(encoder)};
    MatrixF rows(1, (last + 1) * positions * width);
    encoder.run(input, tokens, rows);
    for (Index layer = 0; layer <= last; ++layer) {
      const auto ours = Eigen::Map<const MatrixF>(rows.data() + layer * positions * width, positions, width);
      expect_near_reference(fmt::format("{} block {} of {}", expected, layer, last + 1), ours,
                            states.middleRows((layer + 1) * positions, positions), 1e-4f);
    }
  }
}

TEST(WhisperEncoder, EqualsTheReference) {
  expect_hidden_states("mel80", "", "mel80.hidden");
  expect_hidden_states("mel128", "", "mel128.hidden");
}

TEST(WhisperEncoder, EqualsTheReferenceWithAnAdapter) {
  expect_hidden_states("mel80", "mel80-lora", "mel80.lora.hidden");
}

TEST(WhisperEncoder, FewTokensAreThoseOfAll) {
  const Checkpoint weights(folder("mel80"));
  const Encoder encoder(weights, EncoderShape::read(weights.config()), {}, {0, 2});
  const MatrixF mel = reference("mel80.mel"), states = reference("mel80.hidden");
  std::vector<float> two(mel.data(), mel.data() + mel.size());
  two.insert(two.end(), two.begin(), two.end());
  const std::vector<std::vector<Index>> tokens{{3, 50, 50, 119}, {0, 1, 2, 7}};
  MatrixF rows(2, 2 * 4 * 16);
  encoder.run(two, tokens, rows);
  for (Index clip = 0; clip < 2; ++clip) {
    for (Index i = 0; i < 4; ++i) {
      const Index position = tokens[static_cast<std::size_t>(clip)][static_cast<std::size_t>(i)];
      for (Index layer = 0; layer < 2; ++layer) {
        const auto ours = rows.row(clip).segment((layer * 4 + i) * 16, 16);
        const auto theirs = states.row((layer == 0 ? 1 : 3) * 120 + position);
        EXPECT_LE((ours - theirs).cwiseAbs().maxCoeff(), 1e-4f * states.cwiseAbs().maxCoeff());
      }
    }
  }
}

ModelConfig small_model(std::map<std::string, Option> options = {}) {
  ModelConfig config;
  config.model = "whisper";
  config.weights = folder("mel80");
  config.options = std::move(options);
  config.options.try_emplace("layers", std::vector<double>{0, 2});
  config.options.try_emplace("context_s", 2.4);
  return config;
}

TEST(Whisper, ChunksAndBatchesDoNotMatter) {
  const MadeUpRun run(1.49, 12.5);
  for (const std::int64_t batch : {0, 3}) {
    const auto extractor = make_extractor(small_model({{"batch", batch}}));
    ASSERT_EQ(extractor->rows(run.info()), 8);
    ASSERT_EQ(extractor->readings()[0].width, 2 * 18 * 16);
    testing::expect_chunks_do_not_matter(run, *extractor, 8);
  }
  const auto one = make_extractor(small_model()),
             many = make_extractor(small_model({{"batch", std::int64_t{5}}}));
  const MatrixF a = run.extract(*one, {0, 8}, 8), b = run.extract(*many, {0, 8}, 8);
  EXPECT_LE((a - b).cwiseAbs().maxCoeff(), 1e-5f * a.cwiseAbs().maxCoeff());
  EXPECT_EQ(one->identity(), many->identity()) << "the batch changes no features";
}

TEST(Whisper, BfloatIsNearFloat) {
  const MadeUpRun run(1.49, 6.0);
  const auto exact = make_extractor(small_model());
  const auto rough = make_extractor(small_model({{"type", std::string("bfloat16")}}));
  EXPECT_NE(exact->identity(), rough->identity());
  const MatrixF a = run.extract(*exact, {0, 4}, 4), b = run.extract(*rough, {0, 4}, 4);
  const float off = (a - b).norm() / a.norm();
  EXPECT_LE(off, 0.05f);
  EXPECT_GT(off, 0.0f);
}

TEST(Whisper, HearsSilenceAfterTheSound) {
  MadeUpRun run(1.49, 12.5);
  run.audio().resize(16000 * 3);
  const auto extractor = make_extractor(small_model());
  const MatrixF rows = run.extract(*extractor, {0, 8}, 8);
  EXPECT_TRUE(rows.allFinite());
  EXPECT_EQ(rows.row(6), rows.row(7)) << "nothing is heard any more";
  EXPECT_NE(rows.row(2), rows.row(6));
}

TEST(Whisper, RefusesWhatCannotBe) {
  const auto with = [](const std::string& name, const Option& value) {
    return [=] { make_extractor(small_model({{name, value}})); };
  };
  expect_message(with("layers", std::vector<double>{0, 4, 7, 11}),
                 {"layers = [0, 4, 7, 11]", "0 to 2", "mel80"});
  expect_message(with("layers", std::vector<double>{1, 0}), {"layers", "ascending"});
  expect_message(with("layers", std::vector<double>{0.5}), {"layers", "whole numbers"});
  expect_message(with("layers", std::vector<double>{}), {"layers", "at least one"});
  expect_message(with("tokens", std::int64_t{76}), {"tokens = 76", "1 to 75", "1.49 s"});
  expect_message(with("context_s", 29.0), {"context_s = 29", "up to 2.4", "mel80"});
  expect_message(with("type", std::string("float16")), {"float16", "auto, float32, bfloat16"});
  expect_message(with("type", std::string("int8")), {"int8", "float32"});
  expect_message(with("adapter", std::string("/nowhere")), {"/nowhere"});

  MadeUpRun silent(1.49, 2.98);
  silent.audio().clear();
  const auto extractor = make_extractor(small_model());
  expect_message([&] { silent.extract(*extractor, {0, 1}, 1); }, {"s01e01a", "sound"});
}

TEST(Whisper, RefusesFoldersThatAreNoWhisper) {
  const cinecortex::testing::TempFolder copy;
  const auto damaged = [&](const std::string& what, const std::string& by) {
    std::ifstream in(folder("mel80") / "config.json");
    std::string text{std::istreambuf_iterator<char>(in), {}};
    const auto at = text.find(what);
    EXPECT_NE(at, std::string::npos) << what;
    text.replace(at, what.size(), by);
    std::filesystem::copy_file(folder("mel80") / "model.safetensors", copy / "model.safetensors",
                               std::filesystem::copy_options::overwrite_existing);
    std::ofstream(copy / "config.json") << text;
    return [&copy] {
      auto config = small_model();
      config.weights = copy.path();
      make_extractor(config);
    };
  };
  expect_message(damaged("\"model_type\": \"whisper\"", "\"model_type\": \"bert\""),
                 {"model_type", "bert", "whisper"});
  expect_message(damaged("\"gelu\"", "\"relu\""), {"activation_function", "relu", "gelu"});
  expect_message(damaged("\"encoder_attention_heads\": 2", "\"encoder_attention_heads\": 3"),
                 {"encoder_attention_heads", "divisor of d_model = 16"});
  expect_message(damaged("\"num_mel_bins\": 80", "\"num_mel_bins\": 128"), {"conv1.weight", "80", "128"});
  expect_message(damaged("\"encoder_layers\": 3", "\"encoder_layers\": 4000000000"), {"encoder_layers"});
  auto config = small_model();
  config.weights = folder("mel80-lora");
  expect_message([&] { make_extractor(config); }, {"mel80-lora"});
}

}  // namespace
}  // namespace cinecortex::models::whisper
