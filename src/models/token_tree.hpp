#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "cinecortex/core/types.hpp"

namespace cinecortex::models {

using TokenSequence = std::vector<std::int64_t>;

/// Tokens at which two sequences begin alike.
Index common_prefix(std::span<const std::int64_t> a, std::span<const std::int64_t> b);

/// Sequences that begin alike, each token of a common beginning once. A sequence shares nodes with the one
/// added before it only, which is all there is to share where texts grow.
class TokenTree {
 public:
  /// @param trunk  tokens that all sequences begin with and that are not part of the tree
  explicit TokenTree(Index trunk) : trunk_(trunk) {}

  void add(std::span<const std::int64_t> sequence);

  const TokenSequence& tokens() const noexcept { return tokens_; }  ///< of the nodes
  const std::vector<Index>& positions() const noexcept {
    return positions_;
  }  ///< of the nodes in their sequences
  const std::vector<Index>& path() const noexcept {
    return path_;
  }                                                     ///< nodes of the sequence added last, in order
  bool branched() const noexcept { return branched_; }  ///< else each node follows the one before it
  /// Whether node i sees the token j, where j counts the trunk's tokens, then nodes: [nodes, trunk + nodes].
  std::vector<std::uint8_t> visible() const;

 private:
  Index trunk_;
  TokenSequence tokens_;
  std::vector<Index> positions_, parents_;  ///< parent −1: the trunk
  std::vector<Index> path_;
  bool branched_ = false;
};

}  // namespace cinecortex::models
