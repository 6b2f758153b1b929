#include <torch/script.h>

#include <fstream>
#include <random>

#include "models_testing.hpp"

namespace cinecortex::models {
namespace {

using testing::expect_message;
using testing::MadeUpRun;

/// A folder for modules that are written by the test, removed with it.
class TorchScriptModel : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() /
              ("cinecortex_torchscript_" + std::to_string(std::random_device{}()));
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  /// A module of one method.
  std::filesystem::path module(const std::string& name, const std::string& body) const {
    torch::jit::Module module(name);
    module.register_parameter("weight", at::linspace(-1, 1, 48).reshape({3, 16}), false);
    module.define("def forward(self, x):\n" + body);
    const auto file = folder_ / (name + ".pt");
    module.save(file.string());
    return file;
  }

  static ModelConfig config(const std::filesystem::path& weights, const std::string& input,
                            std::map<std::string, Option> options = {}) {
    ModelConfig config;
    config.model = "torchscript";
    config.weights = weights;
    config.options = std::move(options);
    config.options["input"] = input;
    return config;
  }

  std::filesystem::path folder_;
};

std::map<std::string, Option> small_frames() {
  return {{"frames", std::int64_t{4}}, {"height", std::int64_t{6}}, {"width", std::int64_t{9}}};
}

TEST_F(TorchScriptModel, FramesComeNormalisedInTheLayoutAskedFor) {
  const MadeUpRun run(1.49, 14.9);
  for (const std::string layout : {"btchw", "bcthw"}) {
    auto options = small_frames();
    options["layout"] = layout;
    options["mean"] = std::vector<double>{0.5, 0.25, 0.125};
    options["std"] = std::vector<double>{0.5};
    const auto extractor =
        make_extractor(config(module("same_" + layout, "    return x\n"), "frames", options));
    ASSERT_EQ(extractor->readings()[0].width, 4 * 3 * 6 * 9);
    ASSERT_EQ(extractor->needs(), Needs::frames);
    const auto request = extractor->frame_request(run.info(), {3, 5});
    ASSERT_EQ(request->times_s.size(), 8u);
    EXPECT_DOUBLE_EQ(request->times_s[0], 1.49 * 3.125);
    EXPECT_DOUBLE_EQ(request->times_s[7], 1.49 * 4.875);
    EXPECT_EQ(request->fit, FrameFit::short_side_centre_crop);
    const auto stack = run.frames(*request);
    const MatrixF rows = run.extract(*extractor, {3, 5}, 2);
    const double means[] = {0.5, 0.25, 0.125};
    for (Index frame = 0; frame < 4; ++frame) {
      for (Index channel = 0; channel < 3; ++channel) {
        for (Index pixel = 0; pixel < 54; ++pixel) {
          const double value = (stack.frame(4 + frame)[3 * pixel + channel] / 255.0 - means[channel]) / 0.5;
          const Index plane = layout == "btchw" ? frame * 3 + channel : channel * 4 + frame;
          ASSERT_NEAR(rows(1, plane * 54 + pixel), value, 1e-6) << layout << frame << channel << pixel;
        }
      }
    }
  }
}

TEST_F(TorchScriptModel, SoundEndsWithTheTr) {
  MadeUpRun run(1.49, 5.0);
  const auto file = module("tail", "    return x\n");
  const auto extractor =
      make_extractor(config(file, "audio", {{"context_s", 2.0}, {"batch", std::int64_t{3}}}));
  ASSERT_EQ(extractor->readings()[0].width, 32000);
  ASSERT_EQ(extractor->rows(run.info()), 3);
  const MatrixF rows = run.extract(*extractor, {0, 3}, 3);
  auto audio = run.audio();
  for (Index row = 0; row < 3; ++row) {
    const Index end = (row + 1) * 23840;
    for (Index i = 0; i < 32000; ++i) {
      const Index at = end - 32000 + i;
      ASSERT_EQ(rows(row, i), at < 0 ? 0.0f : audio[static_cast<std::size_t>(at)]) << row << ' ' << i;
    }
  }
  // A TR that reaches beyond the sound.
  audio.resize(30000);
  const Stimulus stimulus{.info = run.info(), .frames = nullptr, .audio = audio, .transcript = {}};
  std::vector<MatrixF> outputs{MatrixF(1, 32000)};
  extractor->extract(stimulus, {1, 2}, outputs);
  EXPECT_EQ(outputs[0](0, 29999 - (47680 - 32000)), audio[29999]);
  EXPECT_TRUE((outputs[0].rightCols(47680 - 30000).array() == 0).all());
}

TEST_F(TorchScriptModel, TokensAreTheLastBytesOfTheText) {
  MadeUpRun run(1.49, 0);
  for (const std::string text : {"Hey", "", "caf\xC3\xA9 ", "x"}) {
    TranscriptRow row;
    row.text = text;
    run.transcript().push_back(row);
  }
  run.info().transcript_rows = 4;
  const auto file = module("bytes", "    return x + 1000 * (x.size(0) - x.size(0))\n");
  const auto extractor = make_extractor(config(file, "tokens", {{"token_window", std::int64_t{7}}}));
  ASSERT_EQ(extractor->rows(run.info()), 4);
  const MatrixF rows = run.extract(*extractor, {0, 4}, 4);
  const auto text_of = [&](Index row) {
    std::string text;
    for (Index i = 0; i < 7; ++i)
      text += rows(row, i) == 0 ? '_' : static_cast<char>(static_cast<int>(rows(row, i)));
    return text;
  };
  EXPECT_EQ(text_of(0), "____Hey");
  EXPECT_EQ(text_of(1), "____Hey");
  EXPECT_EQ(text_of(2), " caf\xC3\xA9 ");  // "Hey café " without its first three bytes
  EXPECT_EQ(text_of(3), "caf\xC3\xA9 x");
  const auto narrow = make_extractor(config(file, "tokens", {{"token_window", std::int64_t{3}}}));
  EXPECT_EQ(run.extract(*narrow, {3, 4}, 1)(0, 0), 0) << "half a character is left out";
}

TEST_F(TorchScriptModel, TakesAnyShapeAndType) {
  const MadeUpRun run(1.49, 6.0);
  const std::map<std::string, Index> widths{
      {"    return x.mean([2, 3, 4])\n", 4},
      {"    return x.flatten(1)[:, 0]\n", 1},
      {"    return x.to(5).amax([3, 4]).to(15)\n", 12},
      {"    return (x > 0).sum([1, 2, 3, 4])\n", 1},
  };
  int count = 0;
  for (const auto& [body, width] : widths) {
    const auto extractor =
        make_extractor(config(module("shape" + std::to_string(count++), body), "frames", small_frames()));
    EXPECT_EQ(extractor->readings()[0].width, width) << body;
    EXPECT_TRUE(run.extract(*extractor, {0, 4}, 4).allFinite()) << body;
  }
}

TEST_F(TorchScriptModel, ChunksDoNotMatter) {
  MadeUpRun run(1.49, 13.4);
  for (Index row = 0; row < 9; ++row) run.transcript().push_back({"word " + std::to_string(row), {}, {}, {}});
  run.info().transcript_rows = 9;
  const auto frames = module("mix",
                             "    y = torch.conv1d(x.flatten(2), torch.ones([5, 4, 7]) / 3.0)\n"
                             "    return torch.tanh(y).mean(2)\n");
  auto options = small_frames();
  options["batch"] = std::int64_t{4};
  const auto from_frames = make_extractor(config(frames, "frames", options));
  testing::expect_chunks_do_not_matter(run, *from_frames, 9);

  const auto sound = module("filter",
                            "    y = x[:, :16000].reshape([x.size(0), 1000, 16])\n"
                            "    return torch.tanh(torch.matmul(y, self.weight.t())).mean(1)\n");
  const auto from_sound = make_extractor(config(sound, "audio", {{"context_s", 3.0}}));
  EXPECT_EQ(from_sound->readings()[0].width, 3);
  testing::expect_chunks_do_not_matter(run, *from_sound, 9);

  const auto bytes = module("count", "    return torch.sin(x.float()).cumsum(1)[:, ::8]\n");
  const auto from_text = make_extractor(config(bytes, "tokens", {{"token_window", std::int64_t{32}}}));
  testing::expect_chunks_do_not_matter(run, *from_text, 9);
}

TEST_F(TorchScriptModel, IdentityFollowsTheFileAndTheOptions) {
  const auto one = module("one", "    return x.mean([2, 3, 4])\n");
  const auto two = module("two", "    return x.amax([2, 3, 4])\n");
  const auto identity = make_extractor(config(one, "frames", small_frames()))->identity();
  EXPECT_NE(identity, make_extractor(config(two, "frames", small_frames()))->identity());
  auto options = small_frames();
  options["fit"] = std::string("stretch");
  EXPECT_NE(identity, make_extractor(config(one, "frames", options))->identity());
  std::filesystem::copy_file(one, folder_ / "elsewhere.pt");
  EXPECT_EQ(identity, make_extractor(config(folder_ / "elsewhere.pt", "frames", small_frames()))->identity());
}

TEST_F(TorchScriptModel, SaysWhatIsWrongInOneLine) {
  const auto load = [](const ModelConfig& model) { return [=] { make_extractor(model); }; };
  expect_message(load(config(folder_ / "none.pt", "frames")), {"none.pt", "no such file"});
  expect_message(load(config(folder_, "frames")), {folder_.string(), "no such file"});
  std::ofstream(folder_ / "junk.pt") << "these are not weights";
  expect_message(load(config(folder_ / "junk.pt", "frames")), {"junk.pt", "not a TorchScript file"});

  expect_message(load(config(module("raises", "    assert x.size(0) == 0, 'too cold today'\n    return x\n"),
                             "frames", small_frames())),
                 {"raises.pt", "float32 [8, 4, 3, 6, 9]", "too cold today"});
  expect_message(load(config(module("shapes", "    return torch.matmul(x.flatten(1), self.weight)\n"),
                             "frames", small_frames())),
                 {"shapes.pt", "[8, 4, 3, 6, 9]", "mat1 and mat2 shapes"});
  expect_message(load(config(module("scalar", "    return x.sum()\n"), "frames", small_frames())),
                 {"scalar.pt", "shape []", "[8, …]"});
  expect_message(load(config(module("other_rows", "    return x.flatten(0, 1)\n"), "frames", small_frames())),
                 {"shape [32, 3, 6, 9]", "[8, …]"});
  expect_message(load(config(module("pair", "    return (x, x)\n"), "frames", small_frames())),
                 {"pair.pt", "Tuple", "not one tensor"});
  expect_message(load(config(module("empty", "    return x[:, :0]\n"), "frames", small_frames())),
                 {"no values"});
  expect_message(load(config(module("cplx", "    return torch.fft_fft(x)\n"), "frames", small_frames())),
                 {"complex"});

  auto options = small_frames();
  options["layout"] = std::string("bchw");
  expect_message(load(config(module("image", "    return x\n"), "frames", options)),
                 {"layout", "frames = 1, not 4"});
  options = small_frames();
  options["mean"] = std::vector<double>{0.1, 0.2};
  expect_message(load(config(folder_ / "image.pt", "frames", options)),
                 {"mean = [0.1, 0.2]", "one number, or three"});
  expect_message(load(config(folder_ / "image.pt", "video")), {"\"video\"", "frames, audio, tokens"});
  auto elsewhere = config(folder_ / "image.pt", "audio", {{"context_s", 0.1}});
  elsewhere.device = "tpu";
  expect_message(load(elsewhere), {"tpu", "auto, cpu, cuda"});
}

TEST_F(TorchScriptModel, RefusesFeaturesThatAreNotNumbers) {
  const MadeUpRun run(1.49, 6.0);
  const auto file = module("log", "    return torch.log(x[:, 20000:20003])\n");
  const auto extractor = make_extractor(config(file, "audio", {{"context_s", 1.49}}));
  expect_message([&] { run.extract(*extractor, {0, 4}, 4); }, {"log.pt", "s01e01a", "TR ", "nan", "finite"});
}

}  // namespace
}  // namespace cinecortex::models
