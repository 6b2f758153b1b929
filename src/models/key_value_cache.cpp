#include "key_value_cache.hpp"

#include <ATen/ops/empty.h>

#include <algorithm>

namespace cinecortex::models {
namespace {

constexpr Index first_capacity = 256, token_dimension = 2;

/// Room for `tokens`, the first `held` kept.
void reserve(at::Tensor& store, Index held, Index tokens, const at::Tensor& like) {
  if (store.defined() && store.size(token_dimension) >= tokens) return;
  const Index before = store.defined() ? store.size(token_dimension) : first_capacity;
  auto larger =
      at::empty({like.size(0), like.size(1), std::max(tokens, 2 * before), like.size(3)}, like.options());
  if (held > 0) larger.narrow(token_dimension, 0, held).copy_(store.narrow(token_dimension, 0, held));
  store = std::move(larger);
}

}  // namespace

std::pair<at::Tensor, at::Tensor> KeyValueCache::append(Index layer, const at::Tensor& keys,
                                                        const at::Tensor& values) {
  if (layer >= static_cast<Index>(layers_.size())) layers_.resize(static_cast<std::size_t>(layer) + 1);
  Layer& own = layers_[static_cast<std::size_t>(layer)];
  const Index tokens = keys.size(token_dimension), all = length_ + tokens;
  reserve(own.keys, length_, all, keys);
  reserve(own.values, length_, all, values);
  own.keys.narrow(token_dimension, length_, tokens).copy_(keys);
  own.values.narrow(token_dimension, length_, tokens).copy_(values);
  return {own.keys.narrow(token_dimension, 0, all), own.values.narrow(token_dimension, 0, all)};
}

void KeyValueCache::truncate(Index length) {
  length_ = std::min(length_, length);
}

void KeyValueCache::keep(Index length, const at::Tensor& positions) {
  const Index count = positions.size(0);
  for (Layer& layer : layers_) {
    const auto own = positions.to(layer.keys.device());
    for (at::Tensor* store : {&layer.keys, &layer.values}) {
      store->narrow(token_dimension, length, count).copy_(store->index_select(token_dimension, own));
    }
  }
  length_ = length + count;
}

}  // namespace cinecortex::models
