#pragma once
#include <ATen/core/Tensor.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cinecortex/io/safetensors.hpp"
#include "config_json.hpp"
#include "lora.hpp"

namespace cinecortex::models {

/// A network's weights and settings on disk: a Hugging Face folder (config.json and safetensors), or a single
/// safetensors file; a LoRA adapter, where one is given, is merged into the weights it is for.
///
///   const Checkpoint weights("Llama-3.1-8B");
///   const Index width = weights.config().size("hidden_size");
///   const at::Tensor norm = weights.load("model.norm.weight", {width}, device, at::kBFloat16);
///
/// Opening reads headers only. All ranks of a node share the pages of the files, as long as they use weights in
/// the type they are stored in.   Collective: no, none of it.
class Checkpoint {
 public:
  static constexpr Index any = -1;  ///< in a shape: whatever size is there

  /// @param adapter  folder of a LoRA adapter; empty: none
  /// @throws InputError naming the file and what is wrong with it.
  explicit Checkpoint(const std::filesystem::path& file_or_folder, const std::filesystem::path& adapter = {});

  const std::filesystem::path& path() const noexcept { return weights_.path(); }
  const ConfigJson& config()
      const;  ///< @throws InputError if there is no config.json (a single file has none)

  bool has(const std::string& name) const { return weights_.tensors().count(name) != 0; }
  std::vector<std::string> names(const std::string& prefix = "") const;  ///< in alphabetical order
  std::vector<Index> shape(const std::string& name) const;               ///< @throws InputError as tensor()
  Index parameters(const std::string& prefix = "") const;  ///< numbers in all tensors that begin so

  /// The tensor as it is stored, on the CPU, not copied and not to be written to; an adapted weight is a copy in
  /// float32 (or wider).
  /// @param shape  as it has to be
  /// @throws InputError naming file and tensor: missing (with the closest names), another shape.
  at::Tensor tensor(const std::string& name, at::IntArrayRef shape) const;

  /// The tensor on the device in the type asked for. Like tensor() it may be the file's pages themselves.
  at::Tensor load(const std::string& name, at::IntArrayRef shape, at::Device device,
                  at::ScalarType type) const;

  /// Fingerprint of weights, settings and adapter, for Extractor::identity().
  std::string identity() const;

 private:
  io::Safetensors weights_;
  std::optional<ConfigJson> config_;
  std::optional<LoraAdapter> adapter_;
};

}  // namespace cinecortex::models
