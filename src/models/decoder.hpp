#pragma once
#include <ATen/core/Tensor.h>

#include <optional>
#include <string>
#include <vector>

#include "checkpoint.hpp"
#include "decoder_config.hpp"
#include "key_value_cache.hpp"
#include "linear.hpp"
#include "placement.hpp"

namespace cinecortex::models {

/// What the tensors of a decoder are called in a checkpoint.
struct DecoderNames {
  std::string body = "model.";    ///< in front of embed_tokens, layers.N, norm
  std::string head = "lm_head.";  ///< in front of weight, where the head is not tied

  /// @throws InputError if the embedding is under none of the usual names.
  static DecoderNames find(const Checkpoint& weights);
};

/// Tokens on their way through a decoder: B sequences of T tokens.
/// Shorter sequences of a batch are padded behind with anything: no token sees those after it.
struct DecoderInput {
  at::Tensor embeddings;           ///< [B, T, width]
  KeyValueCache* cache = nullptr;  ///< the tokens before these, P of them; takes these in
  at::Tensor positions;            ///< int64 [T]; undefined: P … P + T − 1
  /// bool [T, P + T]: the tokens that each one sees, itself among them; undefined: all before it
  at::Tensor visible;
};

/// Which hidden states are wanted. Only what they need is computed.
struct WantedStates {
  /// Ascending. 0 is the embedding, i the output of the i-th layer, the last one that of the final norm, as in
  /// Hugging Face's `output_hidden_states`.
  std::vector<Index> layers;
  at::Tensor tokens;  ///< int64 [B, k], of 0 … T − 1; undefined: all
};

/// A decoder-only transformer of the Llama family (see DecoderConfig), for inference.
/// Callers hold a c10::InferenceMode.   Not thread-safe with one cache.   Collective: no, none of it.
class Decoder {
 public:
  enum class Head { none, logits };

  /// @throws InputError: tensors missing or of another shape; weights that do not fit the memory.
  Decoder(const Checkpoint& weights, const DecoderConfig& config, const DecoderNames& names,
          const Placement& placement, Head head);

  const DecoderConfig& config() const noexcept { return config_; }
  at::Device device() const noexcept { return layers_.front().device; }  ///< where tokens and embeddings go

  /// @param ids  int64, any shape     @return [shape…, width]
  /// @throws InputError: an id that the vocabulary does not have (a tokenizer of another model).
  at::Tensor embed(const at::Tensor& ids) const;

  /// @return [B, k, width] for each wanted layer, on its layer's device, in the placement's type
  /// @throws InputError: more tokens than the model has positions for.
  std::vector<at::Tensor> hidden_states(const DecoderInput& input, const WantedStates& wanted) const;

  /// @param states  […, width], of the last layer     @pre Head::logits     @return [..., vocabulary]
  at::Tensor logits(const at::Tensor& states) const;

 private:
  struct Layer {
    at::Device device = at::kCPU;
    at::Tensor attention_norm, mlp_norm;
    Linear query, key, value, output, gate, up, down;
  };
  /// What every layer needs besides the states; moved from device to device with them.
  struct Context {
    at::Tensor cosines, sines;  ///< [T, head_width / 2]
    at::Tensor visible;         ///< bool; undefined: causal, from an empty cache, or a single token
    Index before = 0;           ///< tokens in the cache
    KeyValueCache* cache = nullptr;
    void move_to(at::Device device);
  };

  void load_ends(const Checkpoint& weights, const DecoderNames& names, at::ScalarType type, Head head);
  Layer load_layer(const TensorLoader& load, const std::string& prefix, at::Device device) const;
  Context context(const DecoderInput& input) const;
  at::Tensor normed(const at::Tensor& x, const at::Tensor& weight) const;
  at::Tensor attend(Index layer, const at::Tensor& normed_states, const at::Tensor& tokens,
                    const Context& context, bool answer) const;
  at::Tensor run_layer(Index layer, const at::Tensor& states, const at::Tensor& tokens,
                       const Context& context) const;

  DecoderConfig config_;
  at::Tensor embedding_, final_norm_, frequencies_;
  std::vector<Layer> layers_;
  std::optional<Linear> head_;
};

}  // namespace cinecortex::models
