#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "cinecortex/core/types.hpp"
#include "internvl_prompt.hpp"
#include "placement.hpp"

namespace cinecortex::models::internvl {

struct NetworkConfig {
  std::filesystem::path weights;  ///< a Hugging Face folder, in either layout
  std::filesystem::path adapter;  ///< a LoRA folder of peft; empty: none
  Placement placement;
};

/// What is read off for each TR. An empty matrix is not wanted; without `img` and `text` the language model rests.
struct Outputs {
  ViewF img;   ///< [TRs, pictures · width]: final norm, mean over each picture's tokens
  ViewF text;  ///< [TRs, (1 + layers) · width]: mean over the last tokens of the TR's words, final norm first
  ViewF
      vit;  ///< [TRs, pictures · vision width]: class tokens behind the last block (and its norm, if it has one)
};

/// InternVL3 and its relatives with a Qwen2 or Llama language model. Pictures of all TRs go through the vision encoder
/// together. The language model takes one TR after another and keeps keys and values, so that what a prompt begins
/// with in common with the one before is not computed again. Weights whose stored type is the placement's are used
/// where they are mapped; others are converted once.   Not thread-safe.   Collective: no, none of it.
class Network {
 public:
  /// @throws InputError: not a folder of InternVL, a variant that is not supported, missing tensors, too little memory.
  explicit Network(const NetworkConfig& config);
  ~Network();

  Index image_size() const noexcept;    ///< side of a picture, pixels
  Index image_tokens() const noexcept;  ///< tokens of a picture in a prompt
  Index vision_width() const noexcept;
  Index width() const noexcept;   ///< of the language model
  Index blocks() const noexcept;  ///< of the language model
  std::string identity() const;   ///< fingerprint of weights and adapter

  /// Bytes that one TR needs beside the weights while run() works, an upper bound.
  std::int64_t bytes_per_tr(Index pictures) const;

  /// The next prompt is computed from its first token on, whatever was read before.
  void forget();

  /// @param prompts   of the TRs, with the same number of pictures
  /// @param rgb       uint8 [TRs · pictures, image_size, image_size, 3]
  /// @param layers    blocks of the language model, from 0, whose output `text` takes, in this order
  /// @param tokens    most tokens of the TR's words that `text` is a mean over
  /// @throws InputError: more tokens than the model has positions for
  void run(std::span<const Prompt> prompts, const std::uint8_t* rgb, const std::vector<Index>& layers,
           Index tokens, const Outputs& outputs);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace cinecortex::models::internvl
