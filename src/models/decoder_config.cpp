#include "decoder_config.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <numbers>
#include <string>
#include <vector>

namespace cinecortex::models {
namespace {

/// Old files have rope_theta beside rope_scaling, new ones have both in rope_parameters.
RopeConfig read_rope(const ConfigJson& config) {
  RopeConfig rope;
  rope.theta = config.real_or("rope_theta", rope.theta);
  const char* const key = config.has("rope_parameters") ? "rope_parameters" : "rope_scaling";
  if (!config.has(key)) return rope;
  const ConfigJson settings = config.part(key);
  rope.theta = settings.real_or("rope_theta", rope.theta);
  const std::vector<std::string> kinds{"default", "linear", "dynamic", "llama3"};
  const bool older = !settings.has("rope_type") && settings.has("type");
  const std::string kind = settings.has("rope_type") || older
                               ? settings.choice(older ? "type" : "rope_type", kinds)
                               : std::string("default");
  if (settings.real_or("partial_rotary_factor", 1) != 1) settings.fail("partial_rotary_factor", "allowed: 1");
  if (kind == "default" || kind == "dynamic") return rope;
  rope.factor = settings.real("factor");
  if (rope.factor < 1) settings.fail("factor", "allowed: numbers from 1");
  rope.kind = kind == "linear" ? RopeConfig::Kind::linear : RopeConfig::Kind::llama3;
  if (rope.kind == RopeConfig::Kind::llama3) {
    rope.low_frequency_factor = settings.real("low_freq_factor");
    rope.high_frequency_factor = settings.real("high_freq_factor");
    rope.original_positions = settings.real("original_max_position_embeddings");
    if (!(rope.high_frequency_factor > rope.low_frequency_factor && rope.low_frequency_factor > 0)) {
      settings.fail("high_freq_factor", "allowed: more than low_freq_factor, which is above 0");
    }
  }
  return rope;
}

void check_attention(const ConfigJson& config) {
  if (config.flag_or("use_sliding_window", false)) {
    config.fail("use_sliding_window", "sliding attention cannot be computed; allowed: false");
  }
  if (!config.has("layer_types")) return;
  for (const auto& type : config.texts("layer_types")) {
    if (type != "full_attention") config.fail("layer_types", "allowed: full_attention in every layer");
  }
}

at::Tensor llama3_frequencies(const RopeConfig& rope, const at::Tensor& plain) {
  const auto wavelength = at::div(at::scalar_tensor(2 * std::numbers::pi, at::kFloat), plain);
  const double longest = rope.original_positions / rope.low_frequency_factor;
  const double shortest = rope.original_positions / rope.high_frequency_factor;
  const auto share = (rope.original_positions / wavelength - rope.low_frequency_factor) /
                     (rope.high_frequency_factor - rope.low_frequency_factor);
  const auto between = (1 - share) * plain / rope.factor + share * plain;
  return at::where(wavelength.gt(longest), plain / rope.factor,
                   at::where(wavelength.lt(shortest), plain, between));
}

}  // namespace

DecoderConfig DecoderConfig::read(const ConfigJson& config) {
  const bool qwen = config.choice("model_type", {"llama", "qwen2"}) == "qwen2";
  check_attention(config);
  if (config.text_or("hidden_act", "silu") != "silu") config.fail("hidden_act", "allowed: silu");
  DecoderConfig sizes;
  sizes.layers = config.size("num_hidden_layers", 10'000);
  sizes.width = config.size("hidden_size", 1 << 20);
  sizes.heads = config.size("num_attention_heads", sizes.width);
  sizes.kv_heads =
      config.has("num_key_value_heads") ? config.size("num_key_value_heads", sizes.heads) : sizes.heads;
  if (sizes.heads % sizes.kv_heads != 0) {
    config.fail("num_key_value_heads",
                fmt::format("allowed: divisors of num_attention_heads = {}", sizes.heads));
  }
  if (!config.has("head_dim") && sizes.width % sizes.heads != 0) {
    config.fail("num_attention_heads", fmt::format("allowed: divisors of hidden_size = {}", sizes.width));
  }
  sizes.head_width = config.has("head_dim") ? config.size("head_dim", 1 << 16) : sizes.width / sizes.heads;
  if (sizes.head_width % 2 != 0) config.fail("head_dim", "allowed: even numbers");
  sizes.mlp_width = config.size("intermediate_size", 1 << 24);
  sizes.vocabulary = config.size("vocab_size", 1 << 28);
  sizes.most_positions = config.size("max_position_embeddings");
  sizes.norm_epsilon = config.real_or("rms_norm_eps", 1e-6);
  sizes.qkv_bias = qwen || config.flag_or("attention_bias", false);
  sizes.output_bias = !qwen && config.flag_or("attention_bias", false);
  sizes.mlp_bias = config.flag_or("mlp_bias", false);
  sizes.tied_head = config.flag_or("tie_word_embeddings", false);
  sizes.rope = read_rope(config);
  return sizes;
}

Index DecoderConfig::layer_parameters() const {
  const Index query = heads * head_width, key = kv_heads * head_width;
  return width * (2 * query + 2 * key) + 3 * width * mlp_width + 2 * width +
         (qkv_bias ? query + 2 * key : 0) + (output_bias ? width : 0) +
         (mlp_bias ? 2 * mlp_width + width : 0);
}

at::Tensor rope_frequencies(const DecoderConfig& config) {
  const RopeConfig& rope = config.rope;
  const auto exponents =
      at::arange(0, config.head_width, 2, at::kFloat) / static_cast<double>(config.head_width);
  const auto plain = at::pow(rope.theta, exponents).reciprocal();
  if (rope.kind == RopeConfig::Kind::llama3) return llama3_frequencies(rope, plain);
  return plain / rope.factor;
}

}  // namespace cinecortex::models
