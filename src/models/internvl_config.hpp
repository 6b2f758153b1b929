#pragma once
#include <string>
#include <string_view>

#include "checkpoint.hpp"
#include "cinecortex/core/types.hpp"

/// InternVL3 (Zhu et al. 2025, arXiv:2504.10479) and its relatives: a vision transformer, a projector, a language model.
namespace cinecortex::models::internvl {

/// The vision transformer (InternViT), as config.json describes it.
struct VisionShape {
  Index hidden_size = 0, num_hidden_layers = 0, num_attention_heads = 0, intermediate_size = 0;
  Index image_size = 0, patch_size = 0;  ///< pixels, both square
  bool rms_norm = false;                 ///< instead of layer norms
  bool qk_norm = false;                  ///< RMS norms of all heads' queries and keys together
  bool qkv_bias = false;
  bool final_norm = false;  ///< a layer norm behind the last block; the published models have none
  double norm_eps = 0, qk_norm_eps = 0;

  Index grid() const noexcept { return image_size / patch_size; }  ///< patches along a side
  Index tokens() const noexcept { return grid() * grid() + 1; }    ///< of a picture: class token, patches
};

/// Everything but the language model's own settings.
struct Shape {
  VisionShape vision;
  Index merge = 0;                 ///< this many patches along either axis make one image token
  Index language_hidden_size = 0;  ///< width of the language model
  Index image_tokens() const noexcept { return vision.grid() / merge * (vision.grid() / merge); }
};

/// How a folder names its tensors. The original layout of OpenGVLab is what this program's sources use;
/// transformers' own (folders ending in -hf) has other names and separate queries, keys and values.
class Layout {
 public:
  enum class Kind {
    original,      ///< vision_model.…, mlp1.…, language_model.model.…
    transformers,  ///< vision_tower.…, multi_modal_projector.…, language_model.model.…
    inner,         ///< model.vision_tower.…, model.multi_modal_projector.…, model.language_model.…
  };
  explicit Layout(Kind kind) : kind_(kind) {}

  /// @throws InputError where the folder has the class token under none of its names.
  static Layout of(const Checkpoint& checkpoint);

  /// Whether queries, keys and values of the vision encoder are one tensor.
  bool fused() const noexcept { return kind_ == Kind::original; }

  /// @param original  name of a tensor of the vision encoder or the projector in the original layout
  std::string name(std::string_view original) const;
  /// What is before "embed_tokens.weight".
  std::string language_prefix() const;
  /// The key of config.json that describes the language model.
  std::string language_config() const { return fused() ? "llm_config" : "text_config"; }

 private:
  Kind kind_;
};

/// @throws InputError naming the key of config.json: a variant that is not supported, sizes that do not fit.
Shape read_shape(const ConfigJson& config, const Layout& layout);

}  // namespace cinecortex::models::internvl
