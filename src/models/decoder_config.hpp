#pragma once
#include <ATen/core/Tensor.h>

#include <optional>

#include "cinecortex/core/types.hpp"
#include "config_json.hpp"

namespace cinecortex::models {

/// Rotary position embedding of one head: angles position · frequency.
struct RopeConfig {
  enum class Kind {
    plain,   ///< theta^(−2i/d); "dynamic" too, which differs only beyond max_positions
    linear,  ///< plain, divided by factor
    llama3,  ///< long wavelengths divided by factor, short ones kept, a smooth change between
  };
  Kind kind = Kind::plain;
  double theta = 10000;
  double factor = 1;
  double low_frequency_factor = 1, high_frequency_factor = 4;  ///< of llama3
  double original_positions = 8192;                            ///< of llama3
};

/// Sizes of a decoder-only transformer of the Llama family: Llama 2 to 3.2, SmolLM2, Qwen2 and 2.5.
struct DecoderConfig {
  Index layers = 0, width = 0, heads = 0, kv_heads = 0, head_width = 0, mlp_width = 0, vocabulary = 0;
  Index most_positions = 0;  ///< longest sequence
  double norm_epsilon = 1e-6;
  bool qkv_bias = false, output_bias = false, mlp_bias = false;
  bool tied_head = false;  ///< logits by the embedding's own weights
  RopeConfig rope;

  /// Reads config.json, or the part of it that describes the language model.
  /// @throws InputError naming key and value: another architecture, activation, kind of RoPE; sliding attention;
  ///         sizes that do not fit each other.   Collective: no.
  static DecoderConfig read(const ConfigJson& config);

  Index layer_parameters() const;                                  ///< numbers in the weights of one layer
  Index cache_width() const { return 2 * kv_heads * head_width; }  ///< numbers a layer and token in a cache
};

/// Frequencies of the RoPE, radians a position, as the reference computes them.   @return float32 [head_width / 2]
at::Tensor rope_frequencies(const DecoderConfig& config);

}  // namespace cinecortex::models
