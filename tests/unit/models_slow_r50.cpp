#include "slow_r50.hpp"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "mapped_tensor.hpp"
#include "models_testing.hpp"
#include "temp_folder.hpp"

namespace cinecortex::models {
namespace {

using cinecortex::testing::TempFolder;
using testing::expect_message;
using testing::MadeUpRun;

std::filesystem::path fixtures() {
  return testing::parity_folder().parent_path() / "slow_r50";
}

at::Tensor reference(const std::string& name) {
  static const io::Safetensors stored(fixtures() / "reference.safetensors");
  return mapped_tensor(stored.at(name));
}

/// The clips of make_slow_r50.py, with channels last.
at::Tensor clips() {
  std::vector<float> values;
  for (int b = 0; b < 2; ++b) {
    for (int t = 0; t < 8; ++t) {
      for (int y = 0; y < 256; ++y) {
        for (int x = 0; x < 256; ++x) {
          for (int c = 0; c < 3; ++c) {
            values.push_back(static_cast<float>(
                (7 * x + 13 * y + 29 * t + 53 * c + 101 * b + 5 * (x * y % 17) + 3 * ((x * t + y * b) % 31)) %
                256));
          }
        }
      }
    }
  }
  return at::from_blob(values.data(), {2, 8, 256, 256, 3}, at::kFloat).div(255).sub(0.45).div(0.225);
}

/// Largest difference relative to the largest value, printed.
double off(const std::string& name, const at::Tensor& ours) {
  const at::Tensor theirs = reference(name);
  EXPECT_EQ(ours.sizes(), theirs.sizes()) << name;
  const double result = ((ours - theirs).abs().max() / theirs.abs().max()).item<double>();
  fmt::print("{}: largest difference {:.1e} of the largest value\n", name, result);
  return result;
}

NamedTensors weights(const std::filesystem::path& adapter = {}) {
  return slow_r50_weights(Checkpoint(fixtures() / "model.safetensors", adapter));
}

TEST(SlowR50, GivesTheReferencesFeaturesAndLogits) {
  const SlowR50 network(weights(), at::kCPU, at::kFloat);
  ASSERT_EQ(network.channels(), 96);
  const at::Tensor pooled = network.pooled(clips());
  EXPECT_LT(off("pooled", pooled), 1e-5);
  EXPECT_LT(off("logits", network.logits(pooled)), 1e-5);
}

TEST(SlowR50, TakesAnAdapterOfItsConvolutions) {
  const SlowR50 network(weights(fixtures() / "adapter"), at::kCPU, at::kFloat);
  EXPECT_LT(off("adapted", network.pooled(clips())), 1e-5);
}

TEST(SlowR50, GradientsReachEveryWeight) {
  auto named = weights();
  for (auto& [name, tensor] : named) {
    tensor = tensor.detach().clone();
    if (!name.ends_with("running_mean") && !name.ends_with("running_var")) tensor.requires_grad_();
  }
  const SlowR50 network(named, at::kCPU, at::kFloat);
  const at::Tensor pooled = network.pooled(clips());
  (pooled * at::cos(at::arange(pooled.numel(), at::kFloat)).view_as(pooled)).sum().backward();
  for (const std::string name :
       {"blocks.0.conv.weight", "blocks.0.norm.weight", "blocks.2.res_blocks.0.branch1_norm.bias",
        "blocks.3.res_blocks.0.branch2.conv_a.weight", "blocks.4.res_blocks.1.branch2.conv_c.weight"}) {
    EXPECT_LT(off("gradient " + name, named.at(name).grad()), 1e-4) << name;
  }
  for (const auto& [name, tensor] : named) {
    if (!tensor.requires_grad() || name.starts_with("blocks.5.")) continue;
    EXPECT_GT(tensor.grad().abs().max().item<float>(), 0) << name;
  }
}

TEST(SlowR50, BFloat16IsClose) {
  const SlowR50 network(weights(), at::kCPU, at::kBFloat16);
  EXPECT_LT(off("pooled", network.pooled(clips().to(at::kBFloat16))), 3e-2);
}

ModelConfig config(std::map<std::string, Option> options = {}) {
  ModelConfig result;
  result.model = "slow_r50";
  result.weights = fixtures() / "model.safetensors";
  result.options = std::move(options);
  return result;
}

TEST(SlowR50Space, TakesEightFramesOfEachTr) {
  const auto extractor = make_extractor(config());
  const MadeUpRun run(1.49, 14.5, 24);  // the last TR ends 0.4 s behind the video
  ASSERT_EQ(extractor->rows(run.info()), 10);
  const auto request = extractor->frame_request(run.info(), {1, 3});
  EXPECT_EQ(request->height, 256);
  EXPECT_EQ(request->width, 256);
  std::vector<int> frames;
  for (const double time_s : request->times_s) frames.push_back(static_cast<int>(std::floor(time_s * 24)));
  // TR 1 has the frames 36 (1.5 s) to 71, TR 2 those from 72 (3 s) to 107.
  EXPECT_EQ(frames, (std::vector<int>{36, 41, 46, 51, 56, 61, 66, 71, 72, 77, 82, 87, 92, 97, 102, 107}));
  const auto last = extractor->frame_request(run.info(), {9, 10});
  EXPECT_LT(last->times_s.back(), 14.5);
  EXPECT_GT(last->times_s.back(), 14.5 - 1.0 / 24);
}

TEST(SlowR50Space, FewFramesAreRepeated) {
  const auto extractor = make_extractor(config());
  const auto request = extractor->frame_request(MadeUpRun(1.49, 14.9, 2).info(), {0, 1});
  ASSERT_EQ(request->times_s.size(), 8u);
  EXPECT_TRUE(std::is_sorted(request->times_s.begin(), request->times_s.end()));
  EXPECT_EQ(request->times_s.front(), 0.25);
  EXPECT_EQ(request->times_s.back(), 1.25);
}

TEST(SlowR50Space, ChunksAndBatchesDoNotMatter) {
  const MadeUpRun run(1.49, 4.5);
  const auto two = make_extractor(config({{"batch", std::int64_t{2}}}));
  testing::expect_chunks_do_not_matter(run, *two, 3);
  const auto one = make_extractor(config({{"batch", std::int64_t{1}}}));
  const MatrixF a = run.extract(*two, {0, 3}, 3), b = run.extract(*one, {0, 3}, 3);
  EXPECT_LE((a - b).cwiseAbs().maxCoeff(), 1e-6f * a.cwiseAbs().maxCoeff());
}

TEST(SlowR50Space, SettingsHaveIdentities) {
  const auto plain = make_extractor(config())->identity();
  EXPECT_EQ(make_extractor(config({{"batch", std::int64_t{3}}}))->identity(), plain);
  EXPECT_NE(make_extractor(config({{"type", "bfloat16"}}))->identity(), plain);
  EXPECT_NE(make_extractor(config({{"adapter", (fixtures() / "adapter").string()}}))->identity(), plain);
}

/// The small network with the header of its file changed: {old name: new name}, or a shape.
std::filesystem::path renamed(const TempFolder& folder, const std::string& from, const std::string& to) {
  std::ifstream in(fixtures() / "model.safetensors", std::ios::binary);
  std::string content((std::istreambuf_iterator<char>(in)), {});
  content.replace(content.find("\"" + from + "\"") + 1, from.size(), to);
  std::ofstream(folder / "changed.safetensors", std::ios::binary) << content;
  return folder / "changed.safetensors";
}

TEST(SlowR50Space, SaysWhatIsWrongWithWeights) {
  const TempFolder folder;
  auto other = config();
  other.weights = renamed(folder, "blocks.2.res_blocks.1.branch2.norm_b.bias",
                          "blocks.2.res_blocks.1.branch2.norm_b.bios");
  expect_message([&] { make_extractor(other); },
                 {"changed.safetensors", "blocks.2.res_blocks.1.branch2.norm_b.bias", "bios"});
  other.weights = renamed(folder, "blocks.0.conv.weight", "blocks.0.cono.weight");
  expect_message([&] { make_extractor(other); }, {"changed.safetensors", "blocks.0.conv.weight"});
  other.weights = folder / "none.safetensors";
  expect_message([&] { make_extractor(other); }, {"none.safetensors"});
  expect_message([&] { make_extractor(config({{"type", "float16"}})); }, {"float16", "bfloat16"});
}

TEST(SlowR50Space, NumbersThatAreNotFiniteAreRefused) {
  const TempFolder folder;
  std::ifstream in(fixtures() / "model.safetensors", std::ios::binary);
  std::string content((std::istreambuf_iterator<char>(in)), {});
  content.replace(content.size() - 2246, 2, std::string("\0\x7E", 2));  // a float16 of the last norm: NaN
  std::ofstream(folder / "nan.safetensors", std::ios::binary) << content;
  auto broken = config();
  broken.weights = folder / "nan.safetensors";
  const auto extractor = make_extractor(broken);
  expect_message(
      [&] {
        MadeUpRun(1.49, 3).extract(*extractor, {0, 1}, 1);
      },
      {"s01e01a", "TRs 0 to 0", "not finite"});
}

}  // namespace
}  // namespace cinecortex::models
