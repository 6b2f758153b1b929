#pragma once
#include <ATen/core/Tensor.h>

#include <array>
#include <map>
#include <string>

#include "checkpoint.hpp"

namespace cinecortex::models {

/// Weights and statistics by the names that pytorchvideo's checkpoints give them.
using NamedTensors = std::map<std::string, at::Tensor>;

/// All that SlowR50 needs of a checkpoint, float32 on the CPU (adapters merged, where the checkpoint has one).
/// @throws InputError naming file and tensor, where it is no slow network of this kind.   Collective: no.
NamedTensors slow_r50_weights(const Checkpoint& checkpoint);

/// The slow pathway of SlowFast networks as an action classifier: pytorchvideo's slow_r50, a residual network over clips.
/// Width and depths are those of the weights. It is a function of its named weights: where they want gradients, these
/// flow back through everything, and a network is made anew for each step. Batch norms use the stored statistics.
///
/// Frames go through as a batch of pictures, with channels innermost, as most layers see one frame at a time; the
/// temporal ones see the same memory as a picture of frames × places. Norms are folded into the convolutions before.
class SlowR50 {
 public:
  static constexpr Index frames = 8, size_px = 256;              ///< of a clip that it was made for
  static constexpr std::array<double, 2> mean_std{0.45, 0.225};  ///< of pixel values in 0 … 1, all channels

  /// @param weights  of slow_r50_weights(), or others with the same names and shapes
  SlowR50(const NamedTensors& weights, at::Device device, at::ScalarType type);

  /// Output of `blocks.5.pool`: means over 8 × 7 × 7 frames and places.
  /// @param clips  [B, T, H, W, 3] normalized, T ≥ 8, H and W ≥ 193, on the device in the type of the network
  /// @return       [B, 32·width, T − 7, ⌈H / 32⌉ − 6, ⌈W / 32⌉ − 6] float32.   Collective: no.
  at::Tensor pooled(const at::Tensor& clips) const;

  /// Classification: the projection, averaged over frames and places.
  /// @param pooled  of pooled()     @return [B, classes] float32.   Collective: no.
  at::Tensor logits(const at::Tensor& pooled) const;

  Index channels() const noexcept { return channels_; }  ///< 32·width, of pooled()
  /// Memory that a clip of the usual size takes on its way through, roughly.
  Index bytes_per_clip() const noexcept;
  at::Device device() const noexcept { return device_; }
  at::ScalarType type() const noexcept { return type_; }

 private:
  struct Convolution {
    at::Tensor weight, bias;
  };
  /// Frames as pictures [B·T, C, H, W], channels innermost.
  struct Pictures {
    at::Tensor values;
    Index clips;
  };

  void add_convolution(const NamedTensors& weights, const std::string& convolution, const std::string& norm);
  at::Tensor spatial(const at::Tensor& pictures, const std::string& name, Index stride = 1) const;
  at::Tensor temporal(const Pictures& pictures, const std::string& name) const;
  at::Tensor block(const Pictures& pictures, const std::string& name, Index stride) const;

  at::Device device_;
  at::ScalarType type_;
  std::map<std::string, Convolution> convolutions_;
  at::Tensor projection_weight_, projection_bias_;
  std::array<Index, 4> depths_{};
  Index channels_;
};

}  // namespace cinecortex::models
