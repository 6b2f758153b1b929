#pragma once
#include <ATen/core/Tensor.h>

#include <memory>
#include <vector>

#include "internvl_config.hpp"
#include "linear.hpp"

namespace cinecortex::models::internvl {

/// InternViT and the projector that turns its patches into tokens of the language model. Weights are used as they are
/// handed out, without a copy.   Not thread-safe.   Collective: no, none of it.
class Vision {
 public:
  /// @param load   by the original layout's names
  /// @param fused  queries, keys and values are one tensor "attn.qkv", else "attn.q", "attn.k", "attn.v"
  Vision(const TensorLoader& load, const Shape& shape, bool fused);
  ~Vision();

  /// @param rgb  uint8 [pictures, image_size, image_size, 3], on any device
  /// @return     [pictures, 3, image_size, image_size], with ImageNet's mean and deviation
  at::Tensor normalised(const at::Tensor& rgb) const;

  /// Patches and class token on their way to the first block.   @return [pictures, tokens, hidden_size]
  at::Tensor embed(const at::Tensor& pixels) const;

  /// One block. @param states  [pictures, tokens, hidden_size], overwritten with the result
  void block(Index index, at::Tensor& states) const;

  /// All of it: what follows the last block (its norm, where there is one).
  /// @return [pictures, tokens, hidden_size]; token 0 is the class token
  at::Tensor encode(const at::Tensor& pixels) const;

  /// Patches to tokens of the language model: `merge` × `merge` neighbours side by side (pixel shuffle, version 2), then
  /// the projector.   @param states  of encode()   @return [pictures, image_tokens(), language_hidden_size]
  at::Tensor project(const at::Tensor& states) const;

 private:
  struct Weights;
  Shape shape_;
  std::unique_ptr<const Weights> weights_;
};

}  // namespace cinecortex::models::internvl
