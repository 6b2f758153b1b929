#include "token_tree.hpp"

#include <algorithm>

namespace cinecortex::models {

Index common_prefix(std::span<const std::int64_t> a, std::span<const std::int64_t> b) {
  return std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin();
}

void TokenTree::add(std::span<const std::int64_t> sequence) {
  const auto tail = sequence.subspan(static_cast<std::size_t>(trunk_));
  std::size_t shared = 0;
  while (shared < path_.size() && shared < tail.size() &&
         tokens_[static_cast<std::size_t>(path_[shared])] == tail[shared]) {
    ++shared;
  }
  path_.resize(shared);
  for (std::size_t i = shared; i < tail.size(); ++i) {
    const Index parent = path_.empty() ? -1 : path_.back();
    branched_ = branched_ || parent + 1 != std::ssize(tokens_);
    parents_.push_back(parent);
    positions_.push_back(trunk_ + static_cast<Index>(i));
    path_.push_back(static_cast<Index>(tokens_.size()));
    tokens_.push_back(tail[i]);
  }
}

std::vector<std::uint8_t> TokenTree::visible() const {
  const std::size_t nodes = tokens_.size(), trunk = static_cast<std::size_t>(trunk_), width = trunk + nodes;
  std::vector<std::uint8_t> seen(nodes * width, 0);
  for (std::size_t node = 0; node < nodes; ++node) {
    auto* const row = seen.data() + node * width;
    if (parents_[node] < 0) {
      std::fill_n(row, trunk, std::uint8_t{1});
    } else {
      std::copy_n(seen.data() + static_cast<std::size_t>(parents_[node]) * width, width, row);
    }
    row[trunk + node] = 1;
  }
  return seen;
}

}  // namespace cinecortex::models
