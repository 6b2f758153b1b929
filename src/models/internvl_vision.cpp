#include "internvl_vision.hpp"

#include <ATen/ops/cat.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/rms_norm.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>

namespace cinecortex::models::internvl {
namespace {

struct Norm {
  at::Tensor weight, bias;
  double eps = 0;
  Norm() = default;
  Norm(const TensorLoader& load, const std::string& name, Index width, bool rms, double epsilon)
      : weight(load(name + ".weight", {width})), eps(epsilon) {
    if (!rms) bias = load(name + ".bias", {width});
  }
  at::Tensor operator()(const at::Tensor& x) const {
    if (bias.defined()) return at::layer_norm(x, {x.size(-1)}, weight, bias, eps);
    if (x.scalar_type() == at::kFloat) return at::rms_norm(x, {x.size(-1)}, weight, eps);
    // The reference scales in half precision what it normalised in single.
    return at::rms_norm(x.to(at::kFloat), {x.size(-1)}, {}, eps).to(x.scalar_type()).mul_(weight);
  }
};

/// Pre-norm block with layer scale. Members are named as in the original layout.
struct Block {
  Index heads;
  Norm norm1, norm2, q_norm, k_norm;
  std::vector<Linear> qkv;  ///< one of all three, or three
  Linear proj, fc1, fc2;
  at::Tensor ls1, ls2;

  Block(const TensorLoader& load, const std::string& name, const VisionShape& shape, bool fused)
      : heads(shape.num_attention_heads),
        norm1(load, name + ".norm1", shape.hidden_size, shape.rms_norm, shape.norm_eps),
        norm2(load, name + ".norm2", shape.hidden_size, shape.rms_norm, shape.norm_eps),
        proj(load, name + ".attn.proj", shape.hidden_size, shape.hidden_size),
        fc1(load, name + ".mlp.fc1", shape.hidden_size, shape.intermediate_size),
        fc2(load, name + ".mlp.fc2", shape.intermediate_size, shape.hidden_size),
        ls1(load(name + ".ls1", {shape.hidden_size})),
        ls2(load(name + ".ls2", {shape.hidden_size})) {
    const Index d = shape.hidden_size;
    if (fused) {
      qkv.emplace_back(load, name + ".attn.qkv", d, 3 * d, shape.qkv_bias);
    } else {
      for (const char* part : {".attn.q", ".attn.k", ".attn.v"})
        qkv.emplace_back(load, name + part, d, d, shape.qkv_bias);
    }
    if (shape.qk_norm) {
      q_norm = Norm(load, name + ".attn.q_norm", d, true, shape.qk_norm_eps);
      k_norm = Norm(load, name + ".attn.k_norm", d, true, shape.qk_norm_eps);
    }
  }

  void operator()(at::Tensor& x) const {
    x.addcmul_(attention(norm1(x)), ls1);
    at::Tensor inner = fc1(norm2(x));
    x.addcmul_(fc2(at::gelu_(inner)), ls2);
  }

 private:
  at::Tensor attention(const at::Tensor& x) const {
    const auto split = [&](const at::Tensor& part) {  // [pictures, heads, tokens, width of a head]
      return part.unflatten(-1, {heads, -1}).transpose(1, 2);
    };
    std::vector<at::Tensor> parts;
    if (qkv.size() == 1) {
      parts = qkv[0](x).chunk(3, -1);
    } else {
      for (const Linear& part : qkv) parts.push_back(part(x));
    }
    if (q_norm.weight.defined()) {
      parts[0] = q_norm(parts[0]);
      parts[1] = k_norm(parts[1]);
    }
    const at::Tensor mixed =
        at::scaled_dot_product_attention(split(parts[0]), split(parts[1]), split(parts[2]));
    return proj(mixed.transpose(1, 2).flatten(2));
  }
};

constexpr double projector_eps = 1e-5;

}  // namespace

struct Vision::Weights {
  at::Tensor class_embedding, position_embedding, patch_weight, patch_bias;
  std::vector<Block> layers;
  Norm layernorm;  ///< where final_norm
  Norm mlp1_0;
  Linear mlp1_1, mlp1_3;
  at::Tensor mean, deviation;  ///< of red, green and blue, [3, 1, 1] float32
};

Vision::Vision(const TensorLoader& load, const Shape& shape, bool fused) : shape_(shape) {
  const VisionShape& vision = shape.vision;
  const Index d = vision.hidden_size, wide = shape.merge * shape.merge * d, text = shape.language_hidden_size;
  const std::string embeddings = "vision_model.embeddings.";
  auto weights = std::make_unique<Weights>();
  weights->class_embedding = load(embeddings + "class_embedding", {1, 1, d});
  weights->position_embedding = load(embeddings + "position_embedding", {1, vision.tokens(), d});
  weights->patch_weight =
      load(embeddings + "patch_embedding.weight", {d, 3, vision.patch_size, vision.patch_size});
  weights->patch_bias = load(embeddings + "patch_embedding.bias", {d});
  for (Index i = 0; i < vision.num_hidden_layers; ++i) {
    weights->layers.emplace_back(load, fmt::format("vision_model.encoder.layers.{}", i), vision, fused);
  }
  if (vision.final_norm) weights->layernorm = Norm(load, "vision_model.layernorm", d, false, vision.norm_eps);
  weights->mlp1_0 = Norm(load, "mlp1.0", wide, false, projector_eps);
  weights->mlp1_1 = Linear(load, "mlp1.1", wide, text);
  weights->mlp1_3 = Linear(load, "mlp1.3", text, text);
  const auto device = weights->patch_weight.device();
  weights->mean = at::tensor({0.485f, 0.456f, 0.406f}).reshape({3, 1, 1}).to(device);
  weights->deviation = at::tensor({0.229f, 0.224f, 0.225f}).reshape({3, 1, 1}).to(device);
  weights_ = std::move(weights);
}

Vision::~Vision() = default;

at::Tensor Vision::normalised(const at::Tensor& rgb) const {
  at::Tensor pixels = rgb.to(weights_->mean.device())
                          .permute({0, 3, 1, 2})
                          .to(at::kFloat, false, true, at::MemoryFormat::Contiguous);
  pixels.div_(255).sub_(weights_->mean).div_(weights_->deviation);
  return pixels.to(weights_->patch_weight.scalar_type());
}

at::Tensor Vision::embed(const at::Tensor& pixels) const {
  const at::Tensor patches =
      at::conv2d(pixels, weights_->patch_weight, weights_->patch_bias, shape_.vision.patch_size)
          .flatten(2)
          .transpose(1, 2);
  const at::Tensor first = weights_->class_embedding.expand({pixels.size(0), 1, -1});
  return at::cat({first, patches}, 1).add_(weights_->position_embedding);
}

void Vision::block(Index index, at::Tensor& states) const {
  weights_->layers[static_cast<std::size_t>(index)](states);
}

at::Tensor Vision::encode(const at::Tensor& pixels) const {
  at::Tensor states = embed(pixels);
  for (const Block& layer : weights_->layers) layer(states);
  return shape_.vision.final_norm ? weights_->layernorm(states) : states;
}

at::Tensor Vision::project(const at::Tensor& states) const {
  const Index merge = shape_.merge, side = shape_.vision.grid() / merge;
  // A token's row and column; in it the patch's row, the patch's column, the channel.
  at::Tensor x = states.narrow(1, 1, shape_.vision.tokens() - 1)
                     .reshape({states.size(0), side, merge, side, merge, shape_.vision.hidden_size})
                     .permute({0, 1, 3, 2, 4, 5})
                     .reshape({states.size(0), side * side, -1});
  x = weights_->mlp1_1(weights_->mlp1_0(x));
  return weights_->mlp1_3(at::gelu_(x));
}

}  // namespace cinecortex::models::internvl
