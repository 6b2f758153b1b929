#include "whisper_encoder.hpp"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "cinecortex/core/error.hpp"
#include "linear.hpp"

namespace cinecortex::models::whisper {
namespace {

struct LayerNorm {
  at::Tensor weight, bias;
  LayerNorm(const TensorLoader& load, const std::string& name, Index width)
      : weight(load(name + ".weight", {width})), bias(load(name + ".bias", {width})) {}
  at::Tensor operator()(const at::Tensor& x) const { return at::layer_norm(x, {x.size(-1)}, weight, bias); }
};

struct Convolution {
  at::Tensor weight, bias;
  Index stride;
  Convolution(const TensorLoader& load, const std::string& name, Index in, Index out, Index step)
      : weight(load(name + ".weight", {out, in, 3})), bias(load(name + ".bias", {out})), stride(step) {}
  at::Tensor operator()(const at::Tensor& x) const { return at::conv1d(x, weight, bias, stride, 1); }
};

/// x [clips, n, width] of the rows `index` [clips, count].
at::Tensor rows_of(const at::Tensor& x, const at::Tensor& index) {
  return at::gather(x, 1, index.unsqueeze(-1).expand({-1, -1, x.size(-1)}));
}

/// A pre-norm block. Members are named as in the checkpoint.
class Block {
 public:
  Block(const TensorLoader& load, const std::string& name, const EncoderShape& shape)
      : heads_(shape.encoder_attention_heads),
        self_attn_layer_norm_(load, name + ".self_attn_layer_norm", shape.d_model),
        q_proj_(load, name + ".self_attn.q_proj", shape.d_model, shape.d_model),
        k_proj_(load, name + ".self_attn.k_proj", shape.d_model, shape.d_model, false),
        v_proj_(load, name + ".self_attn.v_proj", shape.d_model, shape.d_model),
        out_proj_(load, name + ".self_attn.out_proj", shape.d_model, shape.d_model),
        final_layer_norm_(load, name + ".final_layer_norm", shape.d_model),
        fc1_(load, name + ".fc1", shape.d_model, shape.encoder_ffn_dim),
        fc2_(load, name + ".fc2", shape.encoder_ffn_dim, shape.d_model) {}

  /// @param x  [clips, positions, width], all positions; overwritten
  at::Tensor all(const at::Tensor& x) const {
    const at::Tensor normed = self_attn_layer_norm_(x);
    return finish(x.add_(attention(normed, normed)));
  }

  /// The block's output at some positions alone: queries and everything behind the attention are theirs only.
  /// @param tokens  [clips, count]
  at::Tensor some(const at::Tensor& x, const at::Tensor& tokens) const {
    const at::Tensor normed = self_attn_layer_norm_(x);
    return finish(rows_of(x, tokens).add_(attention(rows_of(normed, tokens), normed)));
  }

 private:
  at::Tensor split(const at::Tensor& x) const {  // to [clips, heads, n, width / heads]
    return x.view({x.size(0), x.size(1), heads_, -1}).transpose(1, 2);
  }

  at::Tensor attention(const at::Tensor& queries, const at::Tensor& all) const {
    const at::Tensor mixed =
        at::scaled_dot_product_attention(split(q_proj_(queries)), split(k_proj_(all)), split(v_proj_(all)));
    return out_proj_(mixed.transpose(1, 2).reshape(queries.sizes()));
  }

  at::Tensor finish(at::Tensor x) const {
    at::Tensor inner = fc1_(final_layer_norm_(x));
    x.add_(fc2_(at::gelu_(inner)));
    // The reference keeps half precision from overflowing like this.
    if (x.scalar_type() == at::kHalf) x.clamp_(-largest_half, largest_half);
    return x;
  }

  static constexpr double largest_half = 65504 - 1000;
  Index heads_;
  LayerNorm self_attn_layer_norm_;
  Linear q_proj_, k_proj_, v_proj_, out_proj_;
  LayerNorm final_layer_norm_;
  Linear fc1_, fc2_;
};

/// How keys of the encoder begin: with a decoder and a head around it, with a decoder, alone.
std::string key_prefix(const Checkpoint& weights) {
  const std::vector<std::string> prefixes{"model.encoder.", "encoder.", ""};
  for (const auto& prefix : prefixes) {
    if (weights.has(prefix + "conv1.weight")) return prefix;
  }
  throw InputError(fmt::format("{}: no Whisper encoder in it: none of the tensors {}conv1.weight",
                               weights.path().string(), fmt::join(prefixes, "conv1.weight, ")));
}

}  // namespace

EncoderShape EncoderShape::read(const ConfigJson& config) {
  config.choice("model_type", {"whisper"});
  if (config.has("activation_function")) config.choice("activation_function", {"gelu"});
  EncoderShape shape{.d_model = config.size("d_model"),
                     .encoder_layers = config.size("encoder_layers"),
                     .encoder_attention_heads = config.size("encoder_attention_heads"),
                     .encoder_ffn_dim = config.size("encoder_ffn_dim"),
                     .num_mel_bins = config.size("num_mel_bins"),
                     .max_source_positions = config.size("max_source_positions")};
  if (shape.d_model % shape.encoder_attention_heads != 0) {
    config.fail("encoder_attention_heads", fmt::format("allowed: a divisor of d_model = {}", shape.d_model));
  }
  return shape;
}

/// The tensors. Members are named as in the checkpoint.
struct Encoder::Network {
  EncoderShape shape;
  std::vector<Index> layers;
  at::Device device;
  at::ScalarType type;
  std::vector<Convolution> convolutions;
  at::Tensor embed_positions;
  std::vector<Block> blocks;

  Network(const Checkpoint& weights, const EncoderShape& sizes, const Placement& placement,
          std::vector<Index> wanted)
      : shape(sizes), layers(std::move(wanted)), device(placement.devices.front()), type(placement.type) {
    const std::string prefix = key_prefix(weights);
    check_memory(weights.path().string(), placement,
                 {weights.parameters(prefix) * static_cast<Index>(c10::elementSize(type))});
    const TensorLoader load = [&](const std::string& name, at::IntArrayRef expected) {
      return weights.load(prefix + name, expected, device, type);
    };
    convolutions.emplace_back(load, "conv1", shape.num_mel_bins, shape.d_model, 1);
    convolutions.emplace_back(load, "conv2", shape.d_model, shape.d_model, 2);
    embed_positions = load("embed_positions.weight", {shape.max_source_positions, shape.d_model});
    for (Index i = 0; i <= layers.back(); ++i) {
      blocks.emplace_back(load, fmt::format("layers.{}", i), shape);
    }
  }

  /// @param spectrograms  [clips, bands, frames]     @return [clips, positions, width]
  at::Tensor embed(at::Tensor x) const {
    for (const auto& convolution : convolutions) {
      x = convolution(x);
      at::gelu_(x);
    }
    return x.transpose(1, 2).contiguous().add_(embed_positions);
  }

  /// @param tokens  [clips, count]     @return [clips, layers, count, width]
  at::Tensor forward(const at::Tensor& spectrograms, const at::Tensor& tokens) const {
    std::vector<at::Tensor> states;
    at::Tensor x = embed(spectrograms);
    for (Index i = 0; i < layers.back(); ++i) {
      x = blocks[static_cast<std::size_t>(i)].all(x);
      if (std::binary_search(layers.begin(), layers.end(), i)) states.push_back(rows_of(x, tokens));
    }
    states.push_back(blocks.back().some(x, tokens));
    return at::stack(states, 1);
  }
};

Encoder::Encoder(const Checkpoint& weights, const EncoderShape& shape, const Placement& placement,
                 std::vector<Index> layers)
    : network_(std::make_unique<Network>(weights, shape, placement, std::move(layers))) {}

Encoder::~Encoder() = default;

const EncoderShape& Encoder::shape() const noexcept {
  return network_->shape;
}

std::int64_t Encoder::bytes_per_clip() const {
  const auto& s = shape();
  // The widest moments: both convolutions' outputs, or a block's stream, norm and inner layer before and after gelu;
  // queries, keys, values and their mixture take less.
  const Index convolved = s.frames() * (s.num_mel_bins + s.d_model) + 2 * s.max_source_positions * s.d_model;
  const Index block = s.max_source_positions * (6 * s.d_model + 2 * s.encoder_ffn_dim);
  const auto spectrogram = static_cast<std::int64_t>(sizeof(float)) * s.num_mel_bins * s.frames();
  return spectrogram +
         std::max(convolved, block) * static_cast<std::int64_t>(c10::elementSize(network_->type));
}

void Encoder::run(std::span<const float> spectrograms, std::span<const std::vector<Index>> tokens,
                  ViewF states) const {
  const c10::InferenceMode inference;
  const auto clips = static_cast<Index>(tokens.size());
  if (clips == 0) return;
  const auto count = std::ssize(tokens.front());
  at::Tensor index = at::empty({clips, count}, at::kLong);
  for (Index clip = 0; clip < clips; ++clip) {
    std::copy_n(tokens[static_cast<std::size_t>(clip)].begin(), count,
                index.mutable_data_ptr<std::int64_t>() + clip * count);
  }
  // from_blob takes no const pointer; the convolution only reads.
  const auto input = at::from_blob(const_cast<float*>(spectrograms.data()),
                                   {clips, shape().num_mel_bins, shape().frames()}, at::kFloat);
  const auto result =
      network_->forward(input.to(network_->device, network_->type), index.to(network_->device))
          .to(at::kCPU, at::kFloat)
          .reshape({clips, -1})
          .contiguous();
  states = Eigen::Map<const MatrixF>(result.const_data_ptr<float>(), result.size(0), result.size(1));
}

}  // namespace cinecortex::models::whisper
