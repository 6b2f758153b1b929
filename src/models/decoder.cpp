#include "decoder.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>

#include "cinecortex/core/error.hpp"

namespace cinecortex::models {
namespace {

/// Rows `tokens` [B, k] of [B, T, width]; all where none are named.
at::Tensor chosen(const at::Tensor& x, const at::Tensor& tokens) {
  if (!tokens.defined()) return x;
  return x.gather(1, tokens.to(x.device()).unsqueeze(-1).expand({-1, -1, x.size(-1)}));
}

/// [B, T, heads · width] → [B, heads, T, width]
at::Tensor split_heads(const at::Tensor& x, Index heads) {
  return x.unflatten(-1, {heads, -1}).transpose(1, 2);
}

/// Turns the pairs (i, i + width / 2) of each head by the position's angles.
at::Tensor rotated(const at::Tensor& x, const at::Tensor& cosines, const at::Tensor& sines) {
  const auto halves = x.chunk(2, -1);
  return at::cat({halves[0] * cosines - halves[1] * sines, halves[1] * cosines + halves[0] * sines}, -1);
}

/// The device of each layer: contiguous groups of nearly the same size.
std::vector<at::Device> layer_devices(Index layers, const std::vector<at::Device>& devices) {
  std::vector<at::Device> result;
  for (std::size_t i = 0; i < devices.size(); ++i) {
    const Range own = partition(layers, static_cast<Index>(devices.size()), static_cast<Index>(i));
    result.insert(result.end(), static_cast<std::size_t>(own.size()), devices[i]);
  }
  return result;
}

/// Bytes of the weights on each device.
std::vector<Index> weight_bytes(const DecoderConfig& config, const Placement& placement, bool head) {
  const auto count = static_cast<Index>(placement.devices.size());
  std::vector<Index> bytes;
  for (Index i = 0; i < count; ++i) {
    Index numbers = partition(config.layers, count, i).size() * config.layer_parameters();
    if (i == 0) numbers += config.vocabulary * config.width;
    if (i == count - 1) numbers += config.width;
    if (i == count - 1 && head && (!config.tied_head || count > 1))
      numbers += config.vocabulary * config.width;
    bytes.push_back(numbers * static_cast<Index>(c10::elementSize(placement.type)));
  }
  return bytes;
}

}  // namespace

DecoderNames DecoderNames::find(const Checkpoint& weights) {
  for (const char* body : {"model.", "", "language_model.model.", "model.language_model."}) {
    if (!weights.has(std::string(body) + "embed_tokens.weight")) continue;
    const bool inner = std::string_view(body) == "language_model.model.";
    return {.body = body, .head = inner ? "language_model.lm_head." : "lm_head."};
  }
  throw InputError(fmt::format("{}: no tensor model.embed_tokens.weight: not a decoder of the Llama family",
                               weights.path().string()));
}

void Decoder::Context::move_to(at::Device device) {
  cosines = cosines.to(device);
  sines = sines.to(device);
  if (visible.defined()) visible = visible.to(device);
}

Decoder::Decoder(const Checkpoint& weights, const DecoderConfig& config, const DecoderNames& names,
                 const Placement& placement, Head head)
    : config_(config) {
  if (static_cast<Index>(placement.devices.size()) > config.layers) {
    throw InputError(fmt::format("gpus = {}: allowed: no more than the model's {} layers",
                                 placement.devices.size(), config.layers));
  }
  const auto stored =
      weights.tensor(names.body + "embed_tokens.weight", {config.vocabulary, config.width}).scalar_type();
  const bool in_place =
      placement.devices.front().is_cpu() && stored == placement.type;  // the file's own pages
  if (!in_place) {
    check_memory(weights.path().string(), placement, weight_bytes(config, placement, head == Head::logits));
  }
  const auto devices = layer_devices(config.layers, placement.devices);
  for (Index i = 0; i < config.layers; ++i) {
    const auto device = devices[static_cast<std::size_t>(i)];
    const TensorLoader load = [&](const std::string& name, at::IntArrayRef shape) {
      return weights.load(name, shape, device, placement.type);
    };
    layers_.push_back(load_layer(load, fmt::format("{}layers.{}.", names.body, i), device));
  }
  load_ends(weights, names, placement.type, head);
}

void Decoder::load_ends(const Checkpoint& weights, const DecoderNames& names, at::ScalarType type,
                        Head head) {
  const at::Device last = layers_.back().device;
  embedding_ =
      weights.load(names.body + "embed_tokens.weight", {config_.vocabulary, config_.width}, device(), type);
  final_norm_ = weights.load(names.body + "norm.weight", {config_.width}, last, type);
  frequencies_ = rope_frequencies(config_).to(device());
  if (head == Head::none) return;
  head_.emplace().weight = config_.tied_head ? embedding_.to(last)
                                             : weights.load(names.head + "weight",
                                                            {config_.vocabulary, config_.width}, last, type);
}

Decoder::Layer Decoder::load_layer(const TensorLoader& load, const std::string& prefix,
                                   at::Device device) const {
  const Index width = config_.width, mlp = config_.mlp_width;
  const Index query = config_.heads * config_.head_width, key = config_.kv_heads * config_.head_width;
  const auto linear = [&](const char* name, Index in, Index out, bool bias) {
    return Linear(load, prefix + name, in, out, bias);
  };
  return {.device = device,
          .attention_norm = load(prefix + "input_layernorm.weight", {width}),
          .mlp_norm = load(prefix + "post_attention_layernorm.weight", {width}),
          .query = linear("self_attn.q_proj", width, query, config_.qkv_bias),
          .key = linear("self_attn.k_proj", width, key, config_.qkv_bias),
          .value = linear("self_attn.v_proj", width, key, config_.qkv_bias),
          .output = linear("self_attn.o_proj", query, width, config_.output_bias),
          .gate = linear("mlp.gate_proj", width, mlp, config_.mlp_bias),
          .up = linear("mlp.up_proj", width, mlp, config_.mlp_bias),
          .down = linear("mlp.down_proj", mlp, width, config_.mlp_bias)};
}

at::Tensor Decoder::embed(const at::Tensor& ids) const {
  if (ids.numel() > 0 && (ids.min().item<Index>() < 0 || ids.max().item<Index>() >= config_.vocabulary)) {
    throw InputError(fmt::format("token id {}: the model has {} tokens; the tokenizer is of another model",
                                 ids.max().item<Index>(), config_.vocabulary));
  }
  return at::embedding(embedding_, ids.to(device()));
}

at::Tensor Decoder::normed(const at::Tensor& x, const at::Tensor& weight) const {
  const auto wide = x.to(at::kFloat);
  return weight * (wide * at::rsqrt(wide.square().mean(-1, true) + config_.norm_epsilon)).to(x.scalar_type());
}

Decoder::Context Decoder::context(const DecoderInput& input) const {
  const Index tokens = input.embeddings.size(1), before = input.cache != nullptr ? input.cache->length() : 0;
  if (before + tokens > config_.most_positions) {
    throw InputError(fmt::format("{} tokens, but the model takes no more than {} (max_position_embeddings)",
                                 before + tokens, config_.most_positions));
  }
  const auto options = at::TensorOptions().dtype(at::kLong).device(device());
  const auto places = at::arange(before, before + tokens, options);
  const auto positions = input.positions.defined() ? input.positions.to(device()) : places;
  const auto angles = positions.to(at::kFloat).unsqueeze(-1) * frequencies_;
  Context result{.cosines = angles.cos().to(embedding_.scalar_type()),
                 .sines = angles.sin().to(embedding_.scalar_type()),
                 .visible = input.visible,
                 .before = before,
                 .cache = input.cache};
  if (result.visible.defined()) {
    result.visible = result.visible.to(device());
  } else if (before > 0 && tokens > 1) {
    result.visible = at::arange(before + tokens, options) <= places.unsqueeze(-1);
  }
  return result;
}

std::vector<at::Tensor> Decoder::hidden_states(const DecoderInput& input, const WantedStates& wanted) const {
  Context shared = context(input);
  const Index highest = wanted.layers.empty() ? 0 : wanted.layers.back();
  // A cache has to hold every layer's keys and values, whichever states are wanted.
  const Index layers = input.cache != nullptr ? config_.layers : highest;
  std::vector<at::Tensor> states;
  auto next = wanted.layers.begin();
  auto x = input.embeddings.to(device());
  for (Index i = 0; i <= layers; ++i) {
    const bool narrowed = i == layers && i == highest && i > 0;  // the last layer gave the chosen tokens only
    if (next != wanted.layers.end() && *next == i) {
      const auto own = narrowed ? x : chosen(x, wanted.tokens);
      states.push_back(i == config_.layers ? normed(own, final_norm_) : own);
      ++next;
    }
    if (i == layers) break;
    const at::Device place = layers_[static_cast<std::size_t>(i)].device;
    x = x.to(place);
    shared.move_to(place);
    if (i + 1 == layers && highest < layers) {
      attend(i, normed(x, layers_.back().attention_norm), {}, shared, false);
      break;
    }
    x = run_layer(i, x, i + 1 == layers ? wanted.tokens : at::Tensor{}, shared);
  }
  if (input.cache != nullptr) input.cache->advance(input.embeddings.size(1));
  return states;
}

at::Tensor Decoder::attend(Index layer, const at::Tensor& x, const at::Tensor& tokens, const Context& context,
                           bool answer) const {
  const Layer& own = layers_[static_cast<std::size_t>(layer)];
  auto keys = rotated(split_heads(own.key(x), config_.kv_heads), context.cosines, context.sines);
  auto values = split_heads(own.value(x), config_.kv_heads);
  if (context.cache != nullptr) std::tie(keys, values) = context.cache->append(layer, keys, values);
  if (!answer) return {};
  auto cosines = context.cosines, sines = context.sines;
  auto visible = context.visible;
  if (tokens.defined()) {  // [B, k]
    const auto places = tokens.to(x.device());
    cosines = cosines.index({places}).unsqueeze(1);
    sines = sines.index({places}).unsqueeze(1);
    visible = visible.defined()
                  ? visible.index({places})
                  : at::arange(keys.size(2), places.options()) <= (places + context.before).unsqueeze(-1);
    visible = visible.unsqueeze(1);
  }
  const auto queries = rotated(split_heads(own.query(chosen(x, tokens)), config_.heads), cosines, sines);
  const bool causal = !visible.defined() && x.size(1) > 1;
  const std::optional<at::Tensor> mask = visible.defined() ? std::optional(visible) : std::nullopt;
  const auto seen = at::scaled_dot_product_attention(queries, keys, values, mask, 0.0, causal, std::nullopt,
                                                     config_.heads != config_.kv_heads);
  return own.output(seen.transpose(1, 2).flatten(2));
}

at::Tensor Decoder::run_layer(Index layer, const at::Tensor& states, const at::Tensor& tokens,
                              const Context& context) const {
  const Layer& own = layers_[static_cast<std::size_t>(layer)];
  const auto x =
      chosen(states, tokens) + attend(layer, normed(states, own.attention_norm), tokens, context, true);
  const auto y = normed(x, own.mlp_norm);
  return x + own.down(at::silu(own.gate(y)) * own.up(y));
}

at::Tensor Decoder::logits(const at::Tensor& states) const {
  if (!head_) throw Error("internal: this decoder was made without its head");
  return (*head_)(states.to(head_->weight.device()));
}

}  // namespace cinecortex::models
