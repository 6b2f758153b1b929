#include "slow_r50.hpp"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <fmt/format.h>

#include "cinecortex/core/error.hpp"

namespace cinecortex::models {
namespace {

constexpr double norm_epsilon = 1e-5;
constexpr std::array<Index, 3> pool_kernel{8, 7, 7};
constexpr std::array<Index, 4> temporal_kernels{1, 1, 3, 3};  ///< of conv_a, by stage
constexpr std::array<const char*, 4> norm_parts{"weight", "bias", "running_mean", "running_var"};

std::string block_name(std::size_t stage, Index block) {
  return fmt::format("blocks.{}.res_blocks.{}.", stage + 1, block);
}

/// The norm that follows a convolution, by pytorchvideo's names.
std::string norm_of(std::string convolution) {
  const auto at = convolution.rfind("conv");
  return convolution.replace(at, 4, "norm");
}

template <class Has>
std::array<Index, 4> count_blocks(const Has& has) {
  std::array<Index, 4> depths{};
  for (std::size_t stage = 0; stage < depths.size(); ++stage) {
    while (has(block_name(stage, depths[stage]) + "branch2.conv_a.weight")) ++depths[stage];
  }
  return depths;
}

class Loader {
 public:
  explicit Loader(const Checkpoint& checkpoint) : checkpoint_(checkpoint) {}

  NamedTensors load() {
    convolution("blocks.0.conv", {Checkpoint::any, 3, 1, 7, 7});
    const Index width = weights_.at("blocks.0.conv.weight").size(0);
    const auto depths = count_blocks([&](const std::string& name) { return checkpoint_.has(name); });
    Index in = width;
    for (std::size_t stage = 0; stage < depths.size(); ++stage) {
      const Index inner = width << stage, out = 4 * inner;
      for (Index i = 0; i < std::max<Index>(depths[stage], 1); ++i) {
        const std::string name = block_name(stage, i);
        if (i == 0) convolution(name + "branch1_conv", {out, in, 1, 1, 1});
        convolution(name + "branch2.conv_a", {inner, in, temporal_kernels[stage], 1, 1});
        convolution(name + "branch2.conv_b", {inner, inner, 1, 3, 3});
        convolution(name + "branch2.conv_c", {out, inner, 1, 1, 1});
        in = out;
      }
    }
    tensor("blocks.5.proj.weight", {Checkpoint::any, in});
    tensor("blocks.5.proj.bias", {weights_.at("blocks.5.proj.weight").size(0)});
    return std::move(weights_);
  }

 private:
  void convolution(const std::string& name, at::IntArrayRef shape) {
    tensor(name + ".weight", shape);
    for (const char* part : norm_parts) {
      tensor(fmt::format("{}.{}", norm_of(name), part), {weights_.at(name + ".weight").size(0)});
    }
  }

  void tensor(const std::string& name, at::IntArrayRef shape) {
    weights_[name] = checkpoint_.load(name, shape, at::kCPU, at::kFloat);
  }

  const Checkpoint& checkpoint_;
  NamedTensors weights_;
};

}  // namespace

NamedTensors slow_r50_weights(const Checkpoint& checkpoint) {
  return Loader(checkpoint).load();
}

SlowR50::SlowR50(const NamedTensors& weights, at::Device device, at::ScalarType type)
    : device_(device),
      type_(type),
      projection_weight_(weights.at("blocks.5.proj.weight").to(device)),
      projection_bias_(weights.at("blocks.5.proj.bias").to(device)),
      depths_(count_blocks([&](const std::string& name) { return weights.contains(name); })),
      channels_(projection_weight_.size(1)) {
  constexpr std::string_view ending = ".weight";
  for (const auto& [name, tensor] : weights) {
    if (tensor.dim() != 5) continue;
    const std::string convolution = name.substr(0, name.size() - ending.size());
    add_convolution(weights, convolution, norm_of(convolution));
  }
}

void SlowR50::add_convolution(const NamedTensors& weights, const std::string& convolution,
                              const std::string& norm) {
  const auto part = [&](const char* name) { return weights.at(fmt::format("{}.{}", norm, name)); };
  const at::Tensor& kernel = weights.at(convolution + ".weight");
  const at::Tensor scale = part("weight") * at::rsqrt(part("running_var") + norm_epsilon);
  at::Tensor weight = kernel * scale.view({-1, 1, 1, 1, 1});
  const at::Tensor bias = part("bias") - part("running_mean") * scale;
  // [out, in, T, H, W] to two dimensions: a kernel of one frame, or of one place.
  weight = kernel.size(2) == 1 ? weight.squeeze(2) : weight.squeeze(4);
  convolutions_[convolution] = {weight.to(device_, type_).contiguous(at::MemoryFormat::ChannelsLast),
                                bias.to(device_, type_)};
}

at::Tensor SlowR50::spatial(const at::Tensor& pictures, const std::string& name, Index stride) const {
  const auto& [weight, bias] = convolutions_.at(name);
  return at::conv2d(pictures, weight, bias, stride, /*padding=*/weight.size(2) / 2);
}

at::Tensor SlowR50::temporal(const Pictures& pictures, const std::string& name) const {
  const auto& [weight, bias] = convolutions_.at(name);
  if (weight.size(2) == 1) return at::conv2d(pictures.values, weight, bias);
  const auto height = pictures.values.size(2), width = pictures.values.size(3);
  const Index frames_seen = pictures.values.size(0) / pictures.clips;
  const auto by_place = pictures.values.permute({0, 2, 3, 1})
                            .reshape({pictures.clips, frames_seen, height * width, -1})
                            .permute({0, 3, 1, 2});
  return at::conv2d(by_place, weight, bias, /*stride=*/1, {weight.size(2) / 2, 0})
      .permute({0, 2, 3, 1})
      .reshape({pictures.values.size(0), height, width, -1})
      .permute({0, 3, 1, 2});
}

at::Tensor SlowR50::block(const Pictures& pictures, const std::string& name, Index stride) const {
  const bool projected = convolutions_.contains(name + "branch1_conv");
  const at::Tensor shortcut =
      projected ? spatial(pictures.values, name + "branch1_conv", stride) : pictures.values;
  at::Tensor values = temporal(pictures, name + "branch2.conv_a").relu_();
  values = spatial(values, name + "branch2.conv_b", stride).relu_();
  return spatial(values, name + "branch2.conv_c").add_(shortcut).relu_();
}

at::Tensor SlowR50::pooled(const at::Tensor& clips) const {
  const Index count = clips.size(0), clip_frames = clips.size(1);
  Pictures pictures{clips.flatten(0, 1).permute({0, 3, 1, 2}), count};
  pictures.values = spatial(pictures.values, "blocks.0.conv", 2).relu_();
  pictures.values = at::max_pool2d(pictures.values, /*kernel_size=*/3, /*stride=*/2, /*padding=*/1);
  for (std::size_t stage = 0; stage < depths_.size(); ++stage) {
    for (Index i = 0; i < depths_[stage]; ++i) {
      pictures.values = block(pictures, block_name(stage, i), stage > 0 && i == 0 ? 2 : 1);
    }
  }
  const auto by_clip = pictures.values.unflatten(0, {count, clip_frames}).transpose(1, 2);
  return at::avg_pool3d(by_clip.to(at::kFloat), pool_kernel, /*stride=*/1);
}

at::Tensor SlowR50::logits(const at::Tensor& pooled) const {
  return at::linear(pooled.movedim(1, -1), projection_weight_, projection_bias_).mean({1, 2, 3});
}

Index SlowR50::bytes_per_clip() const noexcept {
  // Behind the stem's pool: a quarter of the size each way, channels / 8. About six such tensors live at once.
  constexpr Index tensors = 6, places = (size_px / 4) * (size_px / 4);
  return tensors * frames * places * channels_ / 8 * static_cast<Index>(at::elementSize(type_));
}

}  // namespace cinecortex::models
