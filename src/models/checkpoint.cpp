#include "checkpoint.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <functional>
#include <numeric>

#include "cinecortex/core/digest.hpp"
#include "cinecortex/core/error.hpp"
#include "mapped_tensor.hpp"

namespace cinecortex::models {
namespace {

std::string shape_text(at::IntArrayRef shape) {
  std::vector<std::string> sizes;
  for (const Index size : shape) sizes.push_back(size == Checkpoint::any ? "any" : std::to_string(size));
  return fmt::format("[{}]", fmt::join(sizes, ", "));
}

bool fits(at::IntArrayRef wanted, at::IntArrayRef found) {
  return std::equal(wanted.begin(), wanted.end(), found.begin(), found.end(),
                    [](Index a, Index b) { return a == Checkpoint::any || a == b; });
}

}  // namespace

Checkpoint::Checkpoint(const std::filesystem::path& file_or_folder, const std::filesystem::path& adapter)
    : weights_(file_or_folder) {
  const auto config = file_or_folder / "config.json";
  if (std::error_code error; std::filesystem::exists(config, error)) config_.emplace(config);
  if (!adapter.empty()) adapter_.emplace(adapter, weights_);
}

const ConfigJson& Checkpoint::config() const {
  if (config_) return *config_;
  throw InputError(fmt::format("{}: no config.json, which describes the network", path().string()));
}

std::vector<std::string> Checkpoint::names(const std::string& prefix) const {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : weights_.tensors()) {
    if (name.starts_with(prefix)) names.push_back(name);
  }
  return names;
}

std::vector<Index> Checkpoint::shape(const std::string& name) const {
  return weights_.at(name).shape;
}

Index Checkpoint::parameters(const std::string& prefix) const {
  Index sum = 0;
  for (const auto& name : names(prefix)) {
    const auto sizes = shape(name);
    sum += std::accumulate(sizes.begin(), sizes.end(), Index{1}, std::multiplies<>());
  }
  return sum;
}

at::Tensor Checkpoint::tensor(const std::string& name, at::IntArrayRef shape) const {
  const auto& stored = weights_.at(name);
  if (!fits(shape, stored.shape)) {
    throw InputError(fmt::format("{}: tensor {} has the shape {}; needed: {}", stored.file.string(), name,
                                 shape_text(stored.shape), shape_text(shape)));
  }
  const auto values = mapped_tensor(stored);
  return adapter_ && adapter_->changes(name) ? adapter_->merged(name, values) : values;
}

at::Tensor Checkpoint::load(const std::string& name, at::IntArrayRef shape, at::Device device,
                            at::ScalarType type) const {
  return tensor(name, shape).to(device, type);
}

std::string Checkpoint::identity() const {
  auto files = weights_.files();
  if (config_) files.push_back(path() / "config.json");
  if (adapter_) files.insert(files.end(), adapter_->files().begin(), adapter_->files().end());
  Digest digest;
  for (const auto& file : files) digest.add(file_digest(file));
  return digest.hex();
}

}  // namespace cinecortex::models
