#include "added_tokens.hpp"

#include <algorithm>
#include <array>

#include "unicode.hpp"

namespace cinecortex::models {
namespace {

std::size_t end_of_first(std::string_view text, std::size_t begin) {
  next_character(text, begin);
  return begin;
}

/// @pre end > 0
std::size_t start_of_last(std::string_view text, std::size_t end) {
  do --end;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80);
  return end;
}

/// Whether the character that begins at `at` is of a kind.   @pre at < text.size()
bool is_at(const TextPattern& kind, std::string_view text, std::size_t at) {
  return kind.find(text.substr(at, end_of_first(text, at) - at), 0).has_value();
}

}  // namespace

AddedTokens::AddedTokens(std::vector<AddedToken> tokens)
    : tokens_(std::move(tokens)),
      word_(R"([\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}])"),
      space_(R"(\s)") {
  const auto by_content = [](const AddedToken& a, const AddedToken& b) { return a.content < b.content; };
  const auto same = [](const AddedToken& a, const AddedToken& b) { return a.content == b.content; };
  std::stable_sort(tokens_.begin(), tokens_.end(), by_content);
  tokens_.erase(std::unique(tokens_.begin(), tokens_.end(), same), tokens_.end());
  for (const auto& token : tokens_) begins_[static_cast<unsigned char>(token.content[0])] = true;
}

void AddedTokens::split(std::string_view text, const std::function<void(std::string_view)>& on_text,
                        const std::function<void(TokenId)>& on_token) const {
  std::size_t done = 0;
  for (std::size_t at = 0; at < text.size();) {
    const AddedToken* token = longest_at(text, at);
    if (token == nullptr) {
      ++at;
      continue;
    }
    std::size_t begin = at, end = at + token->content.size();
    at = end;
    if (token->single_word && touches_word(text, begin, end)) continue;
    while (token->lstrip && begin > done && is_at(space_, text, start_of_last(text, begin))) {
      begin = start_of_last(text, begin);
    }
    while (token->rstrip && end < text.size() && is_at(space_, text, end)) end = end_of_first(text, end);
    if (done < begin) on_text(text.substr(done, begin - done));
    on_token(token->id);
    done = end;
  }
  if (done < text.size()) on_text(text.substr(done));
}

/// Narrows the sorted tokens byte by byte to those that the text goes on with.
const AddedToken* AddedTokens::longest_at(std::string_view text, std::size_t at) const {
  if (!begins_[static_cast<unsigned char>(text[at])]) return nullptr;
  const AddedToken* longest = nullptr;
  auto first = tokens_.begin(), last = tokens_.end();
  for (std::size_t depth = 0; first != last && at + depth < text.size(); ++depth) {
    const auto byte = static_cast<unsigned char>(text[at + depth]);
    const auto byte_of = [depth](const AddedToken& token) {
      return depth < token.content.size() ? static_cast<unsigned char>(token.content[depth]) : -1;
    };
    first = std::partition_point(first, last, [&](const AddedToken& token) { return byte_of(token) < byte; });
    last = std::partition_point(first, last, [&](const AddedToken& token) { return byte_of(token) <= byte; });
    if (first != last && first->content.size() == depth + 1) longest = &*first;
  }
  return longest;
}

bool AddedTokens::touches_word(std::string_view text, std::size_t begin, std::size_t end) const {
  return (begin > 0 && is_at(word_, text, start_of_last(text, begin))) ||
         (end < text.size() && is_at(word_, text, end));
}

}  // namespace cinecortex::models
