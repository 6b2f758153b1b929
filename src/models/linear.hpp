#pragma once
#include <ATen/core/Tensor.h>
#include <ATen/ops/linear.h>

#include <functional>
#include <string>

#include "cinecortex/core/types.hpp"

namespace cinecortex::models {

/// Hands out a tensor of a checkpoint in the network's type and on its device.
/// @param shape  as it has to be    @throws InputError as Checkpoint::load
using TensorLoader = std::function<at::Tensor(const std::string& name, at::IntArrayRef shape)>;

/// x Wᵀ + b; without a bias b is left out.   Collective: no.
struct Linear {
  at::Tensor weight, bias;
  Linear() = default;
  Linear(const TensorLoader& load, const std::string& name, Index in, Index out, bool with_bias = true)
      : weight(load(name + ".weight", {out, in})) {
    if (with_bias) bias = load(name + ".bias", {out});
  }
  at::Tensor operator()(const at::Tensor& x) const {
    return bias.defined() ? at::linear(x, weight, bias) : at::linear(x, weight);
  }
};

}  // namespace cinecortex::models
