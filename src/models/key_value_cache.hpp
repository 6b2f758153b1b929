#pragma once
#include <ATen/core/Tensor.h>

#include <utility>
#include <vector>

#include "cinecortex/core/types.hpp"

namespace cinecortex::models {

/// Keys and values of the tokens that a decoder has seen, so that further tokens need no work on these.
/// Tokens count from `length()` on only once a whole forward pass has come through (advance), so that a pass that
/// dies half-way leaves nothing behind.   Not thread-safe.   Collective: no, none of it.
class KeyValueCache {
 public:
  Index length() const noexcept { return length_; }  ///< tokens held

  /// Stores the next tokens of one layer behind those held.
  /// @param keys, values  [B, heads, T, head_width]
  /// @return views of all keys and all values, [B, heads, length() + T, head_width]
  std::pair<at::Tensor, at::Tensor> append(Index layer, const at::Tensor& keys, const at::Tensor& values);
  void advance(Index tokens) noexcept { length_ += tokens; }

  void truncate(Index length);  ///< forgets what is behind; no more than is held
  /// Keeps the first `length` tokens and, behind them, those at these positions.
  /// @param positions  int64 [n], ascending, none below `length`
  void keep(Index length, const at::Tensor& positions);

 private:
  struct Layer {
    at::Tensor keys, values;  ///< [B, heads, capacity, head_width]
  };
  std::vector<Layer> layers_;
  Index length_ = 0;
};

}  // namespace cinecortex::models
