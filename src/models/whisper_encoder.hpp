#pragma once
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "cinecortex/core/types.hpp"
#include "placement.hpp"

namespace cinecortex::models::whisper {

/// Sizes of an encoder, as config.json names them.
struct EncoderShape {
  Index d_model = 0, encoder_layers = 0, encoder_attention_heads = 0, encoder_ffn_dim = 0, num_mel_bins = 0,
        max_source_positions = 0;
  Index frames() const noexcept { return 2 * max_source_positions; }  ///< of a spectrogram
};

struct EncoderConfig {
  std::filesystem::path weights;  ///< a Hugging Face folder: config.json and safetensors
  std::filesystem::path adapter;  ///< a LoRA folder of peft; empty: none
  Placement placement;            ///< device and type of weights and arithmetic; one device
  std::vector<Index> layers;      ///< blocks whose output is wanted, ascending, from 0
};

/// The encoder of Whisper (Radford et al. 2022, arXiv:2212.04356), any size: two convolutions, fixed positions, pre-norm
/// blocks. It stops after the last block that is wanted, and computes there only the tokens that are wanted (but keys and
/// values of all). Weights whose stored type is `type` are used where they are mapped; others are converted once.
/// Not thread-safe.   Collective: no, none of it.
class Encoder {
 public:
  /// @throws InputError: not a Whisper folder, a block that it does not have, sizes that do not fit, missing tensors, a
  ///         device without room for them.
  explicit Encoder(const EncoderConfig& config);
  ~Encoder();

  const EncoderShape& shape() const noexcept;
  std::string identity() const;  ///< fingerprint of weights and adapter

  /// Bytes that one clip needs beside the weights while run() works, an upper bound.
  std::int64_t bytes_per_clip() const;

  /// @param spectrograms  [clips, num_mel_bins, frames()]
  /// @param tokens        [clips, count]: positions whose states are wanted, in [0, max_source_positions)
  /// @param states        [clips, layers · count · d_model], overwritten: layer by layer, in each the tokens in the order
  ///                      given; a block's output before the final layer norm
  void run(std::span<const float> spectrograms, std::span<const std::vector<Index>> tokens,
           ViewF states) const;

 private:
  struct Network;
  std::unique_ptr<Network> network_;
};

}  // namespace cinecortex::models::whisper
