#include "checkpoint.hpp"

#include <ATen/ATen.h>

#include <fstream>

#include "models_testing.hpp"
#include "safetensors_writer.hpp"
#include "temp_folder.hpp"

namespace cinecortex::models {
namespace {

using cinecortex::testing::bytes_of;
using cinecortex::testing::float_tensor;
using cinecortex::testing::safetensors_of;
using cinecortex::testing::TempFolder;
using cinecortex::testing::WrittenTensor;
using testing::expect_message;

void write(const std::filesystem::path& file, const std::string& bytes) {
  std::filesystem::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << bytes;
}

std::vector<float> counted(Index size, float first = 0, float step = 1) {
  std::vector<float> values;
  for (Index i = 0; i < size; ++i) values.push_back(first + step * static_cast<float>(i));
  return values;
}

/// A folder with a small model, and adapters for it.
class CheckpointFolder : public ::testing::Test {
 protected:
  CheckpointFolder() {
    write(folder_ / "config.json", R"({"model_type":"llama","hidden_size":3,"eps":1e-5,"rope_scaling":null,
                                       "vision_config":{"patch":14,"big":18446744073709551615}})");
    write(folder_ / "model.safetensors",
          safetensors_of({float_tensor("model.layers.0.q_proj.weight", {2, 3}, counted(6)),
                          float_tensor("model.layers.1.q_proj.weight", {2, 3}, counted(6, 10)),
                          float_tensor("model.conv.weight", {2, 3, 1, 2}, counted(12)),
                          {"norm", "BF16", {3}, bytes_of<std::uint16_t>({0x3f80, 0x4000, 0xbf00})},
                          {"flag", "I8", {1}, "x"},
                          {"odd", "F32", {1}, bytes_of<float>({7})}}));  // begins at an odd byte
  }

  /// @param settings  further keys of the adapter's configuration, each behind a comma
  std::filesystem::path adapter(const std::vector<WrittenTensor>& tensors,
                                const std::string& settings = "") const {
    const auto adapter = folder_ / "adapter";
    write(adapter / "adapter_config.json", R"({"peft_type":"LORA","r":1,"lora_alpha":2)" + settings + "}");
    write(adapter / "adapter_model.safetensors", safetensors_of(tensors));
    return adapter;
  }

  static std::vector<WrittenTensor> pair(const std::string& module, std::vector<Index> a = {1, 3},
                                         std::vector<Index> b = {2, 1}) {
    const auto size = [](const std::vector<Index>& shape) {
      Index product = 1;
      for (const Index n : shape) product *= n;
      return product;
    };
    return {float_tensor("base_model.model." + module + ".lora_A.weight", a, counted(size(a), 1)),
            float_tensor("base_model.model." + module + ".lora_B.weight", b, counted(size(b), 1))};
  }

  void refused(const std::vector<WrittenTensor>& tensors, const std::vector<std::string>& parts,
               const std::string& settings = "") const {
    expect_message([&] { Checkpoint{folder_.path(), adapter(tensors, settings)}; }, parts);
  }

  TempFolder folder_;
};

TEST_F(CheckpointFolder, TensorsAreTheFilesOwnBytes) {
  const io::Safetensors file(folder_.path());
  const Checkpoint weights(folder_.path());
  const auto tensor = weights.tensor("model.layers.0.q_proj.weight", {2, Checkpoint::any});
  EXPECT_TRUE(at::equal(tensor, at::arange(6, at::kFloat).reshape({2, 3})));
  EXPECT_EQ(tensor.const_data_ptr(), weights.tensor("model.layers.0.q_proj.weight", {2, 3}).const_data_ptr())
      << "copied";
  EXPECT_EQ(weights.load("odd", {1}, at::kCPU, at::kDouble).item<double>(), 7);
  EXPECT_TRUE(at::equal(weights.load("norm", {3}, at::kCPU, at::kFloat), at::tensor({1.0f, 2.0f, -0.5f})));
  EXPECT_EQ(weights.names("model.layers").size(), 2u);
  EXPECT_EQ(weights.parameters("model.layers"), 12);
  EXPECT_TRUE(weights.has("norm"));
  EXPECT_FALSE(weights.has("nor"));
}

TEST_F(CheckpointFolder, TensorsOutliveIt) {
  at::Tensor kept;
  {
    const Checkpoint weights(folder_.path());
    kept = weights.tensor("norm", {3});
  }
  EXPECT_EQ(kept.to(at::kFloat).sum().item<float>(), 2.5f);
}

TEST_F(CheckpointFolder, WhatDoesNotFitIsNamed) {
  const Checkpoint weights(folder_.path());
  expect_message([&] { weights.tensor("norm", {4}); },
                 {"model.safetensors: tensor norm has the shape [3]; needed: [4]"});
  expect_message([&] { weights.tensor("norm", {3, Checkpoint::any}); }, {"needed: [3, any]"});
  expect_message(
      [&] {
        weights.load("model.layers.2.q_proj.weight", {2, 3}, at::kCPU, at::kFloat);
      },
      {"no tensor model.layers.2.q_proj.weight; closest: model.layers.0.q_proj.weight"});
  const Checkpoint single(folder_ / "model.safetensors");
  EXPECT_TRUE(single.has("norm"));
  expect_message([&] { single.config(); }, {"model.safetensors: no config.json"});
}

TEST_F(CheckpointFolder, SettingsSayWhatIsWrong) {
  const Checkpoint weights(folder_.path());
  const ConfigJson& config = weights.config();
  EXPECT_EQ(config.size("hidden_size"), 3);
  EXPECT_EQ(config.real("eps"), 1e-5);
  EXPECT_FALSE(config.has("rope_scaling"));
  EXPECT_EQ(config.integer_or("rope_scaling", 5), 5);
  EXPECT_EQ(config.part("vision_config").size("patch"), 14);
  expect_message(
      [&] {
        config.choice("model_type", {"qwen2", "whisper"});
      },
      {"config.json: model_type = \"llama\": allowed: qwen2, whisper"});
  expect_message([&] { config.integer("eps"); }, {"eps = 1e-05: allowed: a whole number"});
  expect_message([&] { config.size("hidden_size", 2); }, {"hidden_size = 3: allowed: 1 to 2"});
  expect_message([&] { config.part("vision_config").text("patch"); },
                 {"vision_config.patch = 14: allowed: a text"});
  expect_message([&] { config.part("vision_config").integer("big"); },
                 {"vision_config.big", "a whole number"});
  expect_message([&] { config.part("vision_config").flag("gone"); }, {"vision_config.gone is missing"});
}

TEST_F(CheckpointFolder, IdentityFollowsEveryFile) {
  const auto plain = Checkpoint(folder_.path()).identity();
  EXPECT_EQ(plain, Checkpoint(folder_.path()).identity());
  const auto path = adapter(pair("model.layers.0.q_proj"));
  const auto adapted = Checkpoint(folder_.path(), path).identity();
  EXPECT_NE(plain, adapted);
  write(path / "adapter_config.json", R"({"peft_type":"LORA","r":1,"lora_alpha":3})");
  EXPECT_NE(adapted, Checkpoint(folder_.path(), path).identity());
}

TEST_F(CheckpointFolder, AnAdapterChangesItsLayersOnly) {
  const auto q = at::arange(6, at::kFloat).reshape({2, 3});
  const auto change = at::tensor({1.0f, 2.0f, 3.0f, 2.0f, 4.0f, 6.0f}).reshape({2, 3});  // B·A
  // As peft names modules of the whole model; of its body alone; of a model that holds it.
  for (const std::string module :
       {"model.layers.0.q_proj", "layers.0.q_proj", "inner.model.layers.0.q_proj"}) {
    const Checkpoint weights(folder_.path(), adapter(pair(module)));
    EXPECT_TRUE(at::equal(weights.tensor("model.layers.0.q_proj.weight", {2, 3}), q + 2 * change)) << module;
    EXPECT_TRUE(at::equal(weights.tensor("model.layers.1.q_proj.weight", {2, 3}), q + 10)) << module;
  }
  const Checkpoint halved(folder_.path(),
                          adapter(pair("layers.0.q_proj", {4, 3}, {2, 4}), R"(,"use_rslora":true)"));
  const auto a = at::arange(1, 13, at::kFloat).reshape({4, 3}),
             b = at::arange(1, 9, at::kFloat).reshape({2, 4});
  EXPECT_TRUE(at::equal(halved.tensor("model.layers.0.q_proj.weight", {2, 3}), q + b.matmul(a)))
      << "alpha / sqrt(r)";
}

TEST_F(CheckpointFolder, AnAdapterOfAConvolution) {
  const Checkpoint weights(folder_.path(), adapter(pair("model.conv", {1, 3, 1, 2}, {2, 1, 1, 1})));
  const auto a = at::arange(1, 7, at::kFloat), b = at::tensor({1.0f, 2.0f});
  const auto expected = at::arange(12, at::kFloat) + 2 * at::outer(b, a).flatten();
  EXPECT_TRUE(at::equal(weights.tensor("model.conv.weight", {2, 3, 1, 2}).flatten(), expected));
}

TEST_F(CheckpointFolder, AdaptersThatDoNotFitAreRefused) {
  const auto good = pair("model.layers.0.q_proj");
  refused(pair("model.layers.7.q_proj"), {"module model.layers.7.q_proj", "has no such layer"});
  refused(pair("q_proj"), {"module q_proj", "or several"});
  refused(pair("model.layers.0.q_proj", {1, 4}),
          {"A [1, 4] and B [2, 1] do not fit model.layers.0.q_proj.weight"});
  refused(pair("model.layers.0.q_proj", {1, 3}, {2, 2}), {"B [2, 2] do not fit"});
  refused({good[0]}, {"no tensor base_model.model.model.layers.0.q_proj.lora_B.weight"});
  refused({good[1]}, {"no tensor base_model.model.model.layers.0.q_proj.lora_A.weight"});
  refused({good[0], good[1], float_tensor("base_model.model.x.lora_magnitude_vector", {1}, {1})},
          {"tensor base_model.model.x.lora_magnitude_vector: only base_model.model.MODULE.lora_A.weight"});
  refused(good, {"use_dora = true", "DoRA"}, R"(,"use_dora":true)");
  refused(good, {"bias = \"all\""}, R"(,"bias":"all")");
  refused(good, {"modules_to_save = [\"lm_head\"]"}, R"(,"modules_to_save":["lm_head"])");
  refused(good, {"target_modules", "no weights for k_proj"}, R"(,"target_modules":["q_proj","k_proj"])");
  write(folder_ / "adapter" / "adapter_config.json", R"({"peft_type":"IA3"})");
  expect_message([&] { Checkpoint(folder_.path(), folder_ / "adapter"); },
                 {"peft_type = \"IA3\": allowed: LORA"});
  expect_message([&] { Checkpoint(folder_.path(), folder_ / "none"); },
                 {"adapter_config.json: cannot be read"});
}

}  // namespace
}  // namespace cinecortex::models
