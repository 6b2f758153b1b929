#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace cinecortex::models {

using TokenId = std::int32_t;

/// A byte-level byte-pair model as its file has it: tokens are written in the byte alphabet.
struct BytePairFile {
  std::unordered_map<std::string, TokenId> vocabulary;
  std::vector<std::pair<std::string, std::string>> merges;  ///< best first
  std::optional<std::string> unknown;  ///< stands for bytes without a token; none: such bytes are left out
  bool fuse_unknown = false;           ///< one token for neighbouring unknown bytes
  bool ignore_merges = false;          ///< a word that is a token is this token, whatever the merges give
};

/// Splits words into tokens: neighbours are merged, the pair that stands first in the list of merges first,
/// until none is in the list. Time n log n in the length of a word. Words are remembered.
/// Not thread-safe.   Collective: no.
class BytePairs {
 public:
  /// @throws InputError: a merge of, or to, what is no token; an unknown token that is none.
  explicit BytePairs(const BytePairFile& file);

  /// @param word  bytes, as text has them
  /// @param ids   the tokens are appended
  void encode(std::string_view word, std::vector<std::int64_t>& ids) const;

 private:
  struct Merge {
    std::uint32_t rank;
    TokenId result;
  };
  struct Symbol;
  class Queue;
  struct PairHash {
    std::size_t operator()(std::uint64_t pair) const noexcept {
      return (pair ^ (pair >> 32)) * 0x9E3779B97F4A7C15u;
    }
  };
  struct WordHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view word) const noexcept {
      return std::hash<std::string_view>{}(word);
    }
  };

  void add_merges(const BytePairFile& file);
  std::vector<Symbol> bytes_of(std::string_view word) const;
  void merge(std::vector<Symbol>& symbols) const;
  const Merge* merge_of(TokenId left, TokenId right) const;

  std::array<TokenId, 256> byte_tokens_;  ///< -1: none
  std::unordered_map<std::uint64_t, Merge, PairHash> merges_;
  TokenId unknown_ = -1;
  bool fuse_unknown_;
  std::unordered_map<std::string, TokenId, WordHash, std::equal_to<>>
      whole_words_;  ///< where merges are ignored
  mutable std::unordered_map<std::string, std::vector<TokenId>, WordHash, std::equal_to<>> remembered_;
};

}  // namespace cinecortex::models
