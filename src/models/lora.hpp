#pragma once
#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "cinecortex/io/safetensors.hpp"
#include "config_json.hpp"

namespace cinecortex::models {

/// A LoRA adapter as peft saves it: adapter_config.json and adapter_model.safetensors. It changes weights W of linear
/// and convolution layers to W + s·B·A, with s = alpha / r, or alpha / √r where use_rslora is set.
///
/// A module of the adapter belongs to the tensor of the same name plus ".weight". Names may begin differently
/// (a base model alone, or inside of another), as long as no layer number is among what differs.
///   Collective: no, none of it.
class LoraAdapter {
 public:
  /// @param base  the weights to be adapted
  /// @throws InputError naming file and module: another kind of adapter (DoRA, trained biases, saved modules,
  ///         embeddings …), a module that the base does not have, an A without its B, shapes that do not fit.
  LoraAdapter(const std::filesystem::path& folder, const io::Safetensors& base);

  bool changes(const std::string& tensor) const { return updates_.count(tensor) != 0; }
  /// W + s·B·A, computed in float32 (float64 where W is).   @param weight  as stored, on the CPU
  at::Tensor merged(const std::string& tensor, const at::Tensor& weight) const;

  const std::vector<std::filesystem::path>& files() const noexcept { return files_; }

 private:
  struct Update {
    io::StoredTensor a, b;  ///< [r, in, …], [out, r, 1, …]
    double scale = 0;
  };
  void check_settings() const;
  void check_targets(const std::vector<std::string>& modules) const;
  double scale(Index rank) const;
  void add(const std::string& module, const io::Safetensors& adapter, const io::Safetensors& base);

  ConfigJson config_;
  std::vector<std::filesystem::path> files_;
  std::map<std::string, Update> updates_;  ///< by the name of the base's tensor
};

}  // namespace cinecortex::models
