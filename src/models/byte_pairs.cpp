#include "byte_pairs.hpp"

#include <fmt/format.h>

#include <queue>

#include "byte_alphabet.hpp"
#include "cinecortex/core/error.hpp"

namespace cinecortex::models {
namespace {

/// Words that are remembered: enough for the vocabulary of films, a few MB.
constexpr std::size_t most_words = 1 << 16, longest_word = 64;

constexpr std::uint64_t key(TokenId left, TokenId right) {
  return std::uint64_t(std::uint32_t(left)) << 32 | std::uint32_t(right);
}

}  // namespace

/// A part of a word in a linked list: neighbours by position, -1 at the ends.
struct BytePairs::Symbol {
  TokenId token;  ///< -1: merged into a symbol before
  std::int64_t before, behind;
};

/// Merges that were possible when they were queued, the first of the list, then the leftmost, on top.
class BytePairs::Queue {
 public:
  struct Entry {
    std::uint32_t rank;
    TokenId result;
    std::int64_t position;
    bool operator<(const Entry& other) const {
      return rank != other.rank ? rank > other.rank : position > other.position;
    }
  };

  Queue(const BytePairs& pairs, const std::vector<Symbol>& symbols) : pairs_(pairs), symbols_(symbols) {
    for (std::int64_t i = 0; i < std::ssize(symbols); ++i) offer(i);
  }

  /// Queues the pair that begins at a position, if it can be merged.
  void offer(std::int64_t position) {
    if (position < 0) return;
    const Merge* merge = merge_at(position);
    if (merge != nullptr) entries_.push({merge->rank, merge->result, position});
  }

  /// The next merge that is still possible.
  std::optional<Entry> next() {
    while (!entries_.empty()) {
      const Entry top = entries_.top();
      entries_.pop();
      // A symbol only grows: the pair that was queued is there if one with the same result is.
      const Merge* merge = merge_at(top.position);
      if (merge != nullptr && merge->result == top.result) return top;
    }
    return std::nullopt;
  }

 private:
  const Merge* merge_at(std::int64_t position) const {
    const Symbol& left = symbols_[static_cast<std::size_t>(position)];
    if (left.token < 0 || left.behind < 0) return nullptr;
    return pairs_.merge_of(left.token, symbols_[static_cast<std::size_t>(left.behind)].token);
  }

  const BytePairs& pairs_;
  const std::vector<Symbol>& symbols_;
  std::priority_queue<Entry> entries_;
};

BytePairs::BytePairs(const BytePairFile& file) : fuse_unknown_(file.fuse_unknown) {
  const auto token = [&](const std::string& text) {
    const auto found = file.vocabulary.find(text);
    return found == file.vocabulary.end() ? TokenId{-1} : found->second;
  };
  for (unsigned byte = 0; byte < 256; ++byte) {
    byte_tokens_[byte] = token(letter_of_byte(static_cast<unsigned char>(byte)));
  }
  if (file.unknown) {
    unknown_ = token(*file.unknown);
    if (unknown_ < 0)
      throw InputError(fmt::format("unk_token \"{}\" is not in the vocabulary", *file.unknown));
  }
  add_merges(file);
  if (!file.ignore_merges) return;
  for (const auto& [text, id] : file.vocabulary) {
    if (auto bytes = bytes_of_letters(text)) whole_words_.emplace(std::move(*bytes), id);
  }
}

void BytePairs::add_merges(const BytePairFile& file) {
  const auto token = [&](std::size_t rank, const std::string& text) {
    const auto found = file.vocabulary.find(text);
    if (found != file.vocabulary.end()) return found->second;
    throw InputError(fmt::format("merges[{}]: \"{}\" is not in the vocabulary", rank, text));
  };
  merges_.reserve(file.merges.size());
  for (std::size_t rank = 0; rank < file.merges.size(); ++rank) {
    const auto& [left, right] = file.merges[rank];
    merges_[key(token(rank, left), token(rank, right))] = {static_cast<std::uint32_t>(rank),
                                                           token(rank, left + right)};
  }
}

const BytePairs::Merge* BytePairs::merge_of(TokenId left, TokenId right) const {
  const auto found = merges_.find(key(left, right));
  return found == merges_.end() ? nullptr : &found->second;
}

void BytePairs::encode(std::string_view word, std::vector<std::int64_t>& ids) const {
  if (const auto whole = whole_words_.find(word); whole != whole_words_.end()) {
    ids.push_back(whole->second);
    return;
  }
  if (const auto known = remembered_.find(word); known != remembered_.end()) {
    ids.insert(ids.end(), known->second.begin(), known->second.end());
    return;
  }
  auto symbols = bytes_of(word);
  merge(symbols);
  std::vector<TokenId> tokens;
  for (const auto& symbol : symbols) {
    if (symbol.token >= 0) tokens.push_back(symbol.token);
  }
  ids.insert(ids.end(), tokens.begin(), tokens.end());
  if (word.size() <= longest_word && remembered_.size() < most_words)
    remembered_.emplace(word, std::move(tokens));
}

std::vector<BytePairs::Symbol> BytePairs::bytes_of(std::string_view word) const {
  std::vector<Symbol> symbols;
  symbols.reserve(word.size());
  bool unknown_before = false;
  for (const char c : word) {
    const TokenId known = byte_tokens_[static_cast<unsigned char>(c)];
    const bool unknown = known < 0;
    const bool left_out = unknown && (unknown_ < 0 || (fuse_unknown_ && unknown_before));
    unknown_before = unknown;
    if (left_out) continue;
    const std::int64_t position = std::ssize(symbols);
    if (position > 0) symbols.back().behind = position;
    symbols.push_back({unknown ? unknown_ : known, position - 1, -1});
  }
  return symbols;
}

void BytePairs::merge(std::vector<Symbol>& symbols) const {
  Queue queue(*this, symbols);
  while (const auto entry = queue.next()) {
    Symbol& left = symbols[static_cast<std::size_t>(entry->position)];
    Symbol& right = symbols[static_cast<std::size_t>(left.behind)];
    left.token = entry->result;
    left.behind = right.behind;
    right.token = -1;
    if (left.behind >= 0) symbols[static_cast<std::size_t>(left.behind)].before = entry->position;
    queue.offer(left.before);
    queue.offer(entry->position);
  }
}

}  // namespace cinecortex::models
