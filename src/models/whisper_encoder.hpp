#pragma once
#include <memory>
#include <span>
#include <vector>

#include "checkpoint.hpp"
#include "cinecortex/core/types.hpp"
#include "placement.hpp"

namespace cinecortex::models::whisper {

/// Sizes of an encoder, as config.json names them.
struct EncoderShape {
  Index d_model = 0, encoder_layers = 0, encoder_attention_heads = 0, encoder_ffn_dim = 0, num_mel_bins = 0,
        max_source_positions = 0;
  Index frames() const noexcept { return 2 * max_source_positions; }  ///< of a spectrogram

  /// @throws InputError naming the key: not a Whisper model, sizes that do not fit each other.   Collective: no.
  static EncoderShape read(const ConfigJson& config);
};

/// The encoder of Whisper (Radford et al. 2022, arXiv:2212.04356), any size: two convolutions, fixed positions, pre-norm
/// blocks. It stops after the last block that is wanted, and computes there only the tokens that are wanted (but keys and
/// values of all). Weights whose stored type is `type` are used where they are mapped; others are converted once.
/// Not thread-safe.   Collective: no, none of it.
class Encoder {
 public:
  /// @param weights    a Hugging Face folder
  /// @param placement  device and type of weights and arithmetic; one device
  /// @param layers     blocks whose output is wanted, ascending     @pre one at least, of 0 … shape.encoder_layers − 1
  /// @throws InputError: no Whisper encoder, tensors missing or of another shape, a device without room for them.
  Encoder(const Checkpoint& weights, const EncoderShape& shape, const Placement& placement,
          std::vector<Index> layers);
  ~Encoder();

  const EncoderShape& shape() const noexcept;

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
