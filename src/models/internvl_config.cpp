#include "internvl_config.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "cinecortex/core/error.hpp"

namespace cinecortex::models::internvl {
namespace {

using Pair = std::pair<std::string_view, std::string_view>;

/// Parts of a name between dots, in the original layout and in that of transformers.
constexpr std::array<Pair, 14> part_names{{{"vision_model", "vision_tower"},
                                           {"class_embedding", "cls_token"},
                                           {"position_embedding", "position_embeddings"},
                                           {"patch_embedding", "patch_embeddings.projection"},
                                           {"layers", "layer"},
                                           {"attn", "attention"},
                                           {"proj", "projection_layer"},
                                           {"norm1", "layernorm_before"},
                                           {"norm2", "layernorm_after"},
                                           {"ls1", "lambda_1"},
                                           {"ls2", "lambda_2"},
                                           {"q", "q_proj"},
                                           {"k", "k_proj"},
                                           {"v", "v_proj"}}};
/// Of the projector, where a part is a number that means something else elsewhere.
constexpr std::array<Pair, 3> projector_names{{{"mlp1.0.", "multi_modal_projector.layer_norm."},
                                               {"mlp1.1.", "multi_modal_projector.linear_1."},
                                               {"mlp1.3.", "multi_modal_projector.linear_2."}}};

std::string transformers_name(std::string_view original) {
  for (const auto& [from, to] : projector_names) {
    if (original.starts_with(from)) return fmt::format("{}{}", to, original.substr(from.size()));
  }
  std::string name;
  while (!original.empty()) {
    const auto dot = std::min(original.find('.'), original.size());
    std::string_view part = original.substr(0, dot);
    for (const auto& [from, to] : part_names) {
      if (part == from) {
        part = to;
        break;
      }
    }
    if (!name.empty()) name += '.';
    name += part;
    original.remove_prefix(std::min(dot + 1, original.size()));
  }
  return name;
}

/// Of a side that may be given as one number or as two equal ones.
Index square(const ConfigJson& config, const std::string& key) {
  if (!config.json().contains(key) || !config.json()[key].is_array()) return config.size(key, 1 << 16);
  const auto sides = config.integers(key);
  if (sides.size() != 2 || sides[0] != sides[1] || sides[0] < 1 || sides[0] > (1 << 16)) {
    config.fail(key, "allowed: two equal sizes, 1 to 65536 pixels");
  }
  return sides[0];
}

VisionShape read_vision(const ConfigJson& config, const Layout& layout) {
  VisionShape shape;
  shape.hidden_size = config.size("hidden_size");
  shape.num_hidden_layers = config.size("num_hidden_layers");
  shape.num_attention_heads = config.size("num_attention_heads");
  shape.intermediate_size = config.size("intermediate_size");
  if (shape.hidden_size % shape.num_attention_heads != 0) {
    config.fail("num_attention_heads",
                fmt::format("allowed: a divisor of hidden_size, {}", shape.hidden_size));
  }
  shape.image_size = square(config, "image_size");
  shape.patch_size = square(config, "patch_size");
  if (shape.image_size % shape.patch_size != 0) {
    config.fail("patch_size", fmt::format("allowed: a divisor of image_size, {}", shape.image_size));
  }
  shape.norm_eps = config.real_or("layer_norm_eps", 1e-6);
  if (config.has("norm_type"))
    shape.rms_norm = config.choice("norm_type", {"layer_norm", "rms_norm"}) == "rms_norm";
  if (config.has("hidden_act")) config.choice("hidden_act", {"gelu"});
  if (config.integer_or("num_channels", 3) != 3) config.fail("num_channels", "allowed: 3");
  if (layout.fused()) {
    shape.qk_norm = config.flag_or("qk_normalization", true);
    shape.qkv_bias = config.flag_or("qkv_bias", false);
    shape.qk_norm_eps = shape.norm_eps;
    // The first InternViT had RMS norms and no key for it.
    if (!config.has("norm_type")) shape.rms_norm = true;
  } else {
    shape.qk_norm = config.flag_or("use_qk_norm", false);
    shape.qkv_bias = config.flag_or("attention_bias", false);
    shape.qk_norm_eps = 1e-6;
    shape.final_norm = !config.flag_or("use_mean_pooling", true);
    if (!config.flag_or("use_absolute_position_embeddings", true)) {
      config.fail("use_absolute_position_embeddings", "allowed: true");
    }
  }
  return shape;
}

/// What some relatives of InternVL3 have and this program does not.
void check_supported(const ConfigJson& config, const Layout& layout) {
  if (layout.fused()) {
    if (config.text_or("ps_version", "v2") != "v2") config.fail("ps_version", "allowed: \"v2\"");
    if (config.integer_or("select_layer", -1) != -1) config.fail("select_layer", "allowed: -1");
  } else {
    if (config.integer_or("vision_feature_layer", -1) != -1)
      config.fail("vision_feature_layer", "allowed: -1");
    if (config.text_or("vision_feature_select_strategy", "default") != "default") {
      config.fail("vision_feature_select_strategy", "allowed: \"default\"");
    }
    if (config.text_or("projector_hidden_act", "gelu") != "gelu") {
      config.fail("projector_hidden_act", "allowed: \"gelu\"");
    }
  }
}

}  // namespace

Layout Layout::of(const Checkpoint& checkpoint) {
  for (const auto kind : {Kind::original, Kind::transformers, Kind::inner}) {
    const Layout layout(kind);
    if (checkpoint.has(layout.name("vision_model.embeddings.class_embedding"))) return layout;
  }
  throw InputError(
      fmt::format("{}: no weights of InternVL: there is neither vision_model.embeddings.class_embedding (as "
                  "OpenGVLab writes it) nor vision_tower.embeddings.cls_token (folders ending in -hf), with "
                  "or without \"model.\" in front",
                  checkpoint.path().string()));
}

std::string Layout::name(std::string_view original) const {
  switch (kind_) {
    case Kind::original:
      return std::string(original);
    case Kind::transformers:
      return transformers_name(original);
    case Kind::inner:
      return "model." + transformers_name(original);
  }
  throw Error("internal: unknown layout");
}

std::string Layout::language_prefix() const {
  return kind_ == Kind::inner ? "model.language_model." : "language_model.model.";
}

Shape read_shape(const ConfigJson& config, const Layout& layout) {
  check_supported(config, layout);
  Shape shape;
  shape.vision = read_vision(config.part("vision_config"), layout);
  if (config.integer_or("force_image_size", shape.vision.image_size) != shape.vision.image_size) {
    config.fail("force_image_size",
                fmt::format("allowed: vision_config.image_size, {}", shape.vision.image_size));
  }
  const double ratio = config.real_or("downsample_ratio", 0.5);
  shape.merge = ratio > 0 && ratio <= 1 ? std::llround(1 / ratio) : 0;
  if (shape.merge < 1 || shape.vision.grid() % shape.merge != 0) {
    config.fail("downsample_ratio", fmt::format("allowed: 1 / k, k a divisor of the {} patches along a side",
                                                shape.vision.grid()));
  }
  shape.language_hidden_size = config.part(layout.language_config()).size("hidden_size");
  return shape;
}

}  // namespace cinecortex::models::internvl
