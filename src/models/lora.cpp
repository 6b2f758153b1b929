#include "lora.hpp"

#include <ATen/ops/add.h>
#include <ATen/ops/matmul.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "cinecortex/core/error.hpp"
#include "mapped_tensor.hpp"

namespace cinecortex::models {
namespace {

constexpr std::string_view peft_prefix = "base_model.model.", a_suffix = ".lora_A.weight",
                           b_suffix = ".lora_B.weight", weight_suffix = ".weight";

/// "a.b.c" → c, b, a
std::vector<std::string_view> parts_from_behind(std::string_view name) {
  std::vector<std::string_view> parts;
  for (std::size_t end = name.size(); end != std::string_view::npos;) {
    const std::size_t dot = end == 0 ? std::string_view::npos : name.rfind('.', end - 1);
    const std::size_t begin = dot == std::string_view::npos ? 0 : dot + 1;
    parts.push_back(name.substr(begin, end - begin));
    end = dot;
  }
  return parts;
}

bool is_number(std::string_view part) {
  return !part.empty() && std::all_of(part.begin(), part.end(), [](char c) { return c >= '0' && c <= '9'; });
}

/// Parts at the end that two names have in common; 0 if a number is among the others.
std::size_t common_end(std::string_view a, std::string_view b) {
  const auto left = parts_from_behind(a), right = parts_from_behind(b);
  const auto [from_left, from_right] = std::mismatch(left.begin(), left.end(), right.begin(), right.end());
  const bool numbered =
      std::any_of(from_left, left.end(), is_number) || std::any_of(from_right, right.end(), is_number);
  return numbered ? 0 : static_cast<std::size_t>(from_left - left.begin());
}

/// The base's tensor that a module of the adapter means, "" if there is none or no single one.
std::string tensor_of(const std::string& module, const io::Safetensors& base) {
  const std::string exact = module + std::string(weight_suffix);
  if (base.tensors().count(exact) != 0) return exact;
  std::string best;
  std::size_t best_length = 0;
  bool single = false;
  for (const auto& [name, tensor] : base.tensors()) {
    if (!name.ends_with(weight_suffix)) continue;
    const auto length =
        common_end(module, std::string_view(name).substr(0, name.size() - weight_suffix.size()));
    if (length == 0 || length < best_length) continue;
    single = length > best_length;
    best_length = length;
    best = name;
  }
  return single ? best : "";
}

/// peft's rule for a name in target_modules: the module's whole name or its end.
bool targets(const std::string& target, const std::string& module) {
  return module == target || module.ends_with("." + target);
}

}  // namespace

LoraAdapter::LoraAdapter(const std::filesystem::path& folder, const io::Safetensors& base)
    : config_(folder / "adapter_config.json"),
      files_{folder / "adapter_config.json", folder / "adapter_model.safetensors"} {
  check_settings();
  const io::Safetensors adapter(files_[1]);
  std::vector<std::string> modules;
  for (const auto& [name, tensor] : adapter.tensors()) {
    const bool a = name.ends_with(a_suffix), known = a || name.ends_with(b_suffix);
    if (!known || !name.starts_with(peft_prefix)) {
      throw InputError(
          fmt::format("{}: tensor {}: only {}MODULE{} and {} of linear and convolution layers can be "
                      "applied",
                      files_[1].string(), name, peft_prefix, a_suffix, b_suffix));
    }
    const auto module = name.substr(peft_prefix.size(), name.size() - peft_prefix.size() - a_suffix.size());
    if (!a) {
      adapter.at(fmt::format("{}{}{}", peft_prefix, module, a_suffix));  // throws where there is none
      continue;
    }
    add(module, adapter, base);
    modules.push_back(module);
  }
  check_targets(modules);
}

void LoraAdapter::check_settings() const {
  config_.choice("peft_type", {"LORA"});
  if (config_.flag_or("use_dora", false)) config_.fail("use_dora", "DoRA cannot be applied; allowed: false");
  if (config_.flag_or("fan_in_fan_out", false)) {
    config_.fail("fan_in_fan_out", "transposed layers cannot be adapted; allowed: false");
  }
  if (config_.text_or("bias", "none") != "none") {
    config_.fail("bias", "trained biases cannot be applied; allowed: \"none\"");
  }
  for (const char* key : {"modules_to_save", "layer_replication", "alpha_pattern", "target_parameters"}) {
    if (config_.has(key) && !config_.json()[key].empty())
      config_.fail(key, "cannot be applied; allowed: none");
  }
  config_.size("r");
  config_.real("lora_alpha");
}

void LoraAdapter::check_targets(const std::vector<std::string>& modules) const {
  if (!config_.has("target_modules") || config_.json()["target_modules"].is_string()) return;  // a pattern
  for (const auto& target : config_.texts("target_modules")) {
    const bool there = std::any_of(modules.begin(), modules.end(),
                                   [&](const auto& module) { return targets(target, module); });
    if (!there) {
      config_.fail("target_modules",
                   fmt::format("there are no weights for {} in {}", target, files_[1].string()));
    }
  }
}

double LoraAdapter::scale(Index rank) const {
  const auto r = static_cast<double>(rank);
  return config_.real("lora_alpha") / (config_.flag_or("use_rslora", false) ? std::sqrt(r) : r);
}

void LoraAdapter::add(const std::string& module, const io::Safetensors& adapter,
                      const io::Safetensors& base) {
  const auto& a = adapter.at(fmt::format("{}{}{}", peft_prefix, module, a_suffix));
  const auto& b = adapter.at(fmt::format("{}{}{}", peft_prefix, module, b_suffix));
  const auto name = tensor_of(module, base);
  if (name.empty()) {
    throw InputError(fmt::format("{}: module {}: {} has no such layer, or several", files_[1].string(),
                                 module, base.path().string()));
  }
  const auto& weight = base.at(name).shape;
  auto wanted_b = std::vector<Index>(weight.size(), 1), wanted_a = weight;
  const bool layered =
      weight.size() >= 2 && a.shape.size() == weight.size() && b.shape.size() == weight.size();
  if (layered) {
    wanted_a[0] = wanted_b[1] = a.shape[0];
    wanted_b[0] = weight[0];
  }
  if (!layered || a.shape != wanted_a || b.shape != wanted_b) {
    throw InputError(fmt::format("{}: module {}: A [{}] and B [{}] do not fit {} [{}]", files_[1].string(),
                                 module, fmt::join(a.shape, ", "), fmt::join(b.shape, ", "), name,
                                 fmt::join(weight, ", ")));
  }
  const auto [there, fresh] = updates_.emplace(name, Update{a, b, scale(a.shape[0])});
  if (!fresh) throw InputError(fmt::format("{}: two modules for {}", files_[1].string(), name));
}

at::Tensor LoraAdapter::merged(const std::string& tensor, const at::Tensor& weight) const {
  const Update& update = updates_.at(tensor);
  const auto type = weight.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  const auto a = mapped_tensor(update.a).to(type).flatten(1), b = mapped_tensor(update.b).to(type).flatten(1);
  return at::add(weight.to(type), at::matmul(b, a).reshape(weight.sizes()), update.scale);
}

}  // namespace cinecortex::models
