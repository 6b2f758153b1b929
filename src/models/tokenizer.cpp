#include "tokenizer.hpp"

#include <fmt/format.h>

#include <functional>
#include <unordered_map>
#include <unordered_set>

#include "byte_alphabet.hpp"
#include "cinecortex/core/error.hpp"
#include "tokenizer_file.hpp"
#include "unicode.hpp"

namespace cinecortex::models {
namespace {

/// Cuts text into words, which no token crosses.
class WordSplitter {
 public:
  explicit WordSplitter(const std::vector<SplitStep>& steps) {
    for (const auto& step : steps) {
      Step& added = steps_.emplace_back(Step{step, std::nullopt});
      if (step.kind == SplitStep::Kind::expression) added.pattern.emplace(step.expression);
    }
  }

  /// Calls `use` with each word, in order; the view ends with the call.
  void split(std::string_view text, const std::function<void(std::string_view)>& use,
             std::size_t first_step = 0) const {
    if (text.empty()) return;
    if (first_step == steps_.size()) return use(text);
    const auto next = [&](std::string_view piece) { split(piece, use, first_step + 1); };
    const Step& step = steps_[first_step];
    if (step.pattern) return split_at_matches(step, text, next);
    return text.front() == ' ' ? next(text) : next(std::string(1, ' ').append(text));
  }

 private:
  struct Step {
    SplitStep settings;
    std::optional<TextPattern> pattern;
  };

  static void split_at_matches(const Step& step, std::string_view text,
                               const std::function<void(std::string_view)>& use) {
    std::size_t done = 0;
    while (done < text.size()) {
      const auto match = step.pattern->find(text, done);
      const std::size_t begin = match ? match->begin : text.size();
      if (step.settings.keep_between) use(text.substr(done, begin - done));
      if (match && step.settings.keep_matches) use(text.substr(begin, match->end - begin));
      done = match ? match->end : text.size();
    }
  }

  std::vector<Step> steps_;
};

std::vector<AddedToken> tokens_where(const TokenizerFile& file, bool normalized) {
  std::vector<AddedToken> tokens;
  for (const auto& token : file.added) {
    if (token.normalized != normalized) continue;
    tokens.push_back(token);
    if (normalized && file.nfc) tokens.back().content = nfc(token.content);
  }
  return tokens;
}

}  // namespace

struct Tokenizer::Parts {
  explicit Parts(const TokenizerFile& file)
      : raw_tokens(tokens_where(file, false)),
        normalized_tokens(tokens_where(file, true)),
        splitter(file.steps),
        pairs(file.model),
        nfc(file.nfc),
        prefix(file.prefix),
        suffix(file.suffix) {
    for (const auto& [token, id] : file.model.vocabulary)
      name(token, id, bytes_of_letters(token).value_or(token));
    for (const auto& token : file.added) {
      name(token.content, token.id, bytes_of_letters(token.content).value_or(token.content));
      if (token.special) special.insert(token.id);
    }
  }

  void name(const std::string& token, TokenId id, std::string text) {
    ids[token] = id;
    texts[id] = std::move(text);
  }

  AddedTokens raw_tokens, normalized_tokens;
  WordSplitter splitter;
  BytePairs pairs;
  bool nfc;
  std::vector<TokenId> prefix, suffix;
  std::unordered_map<std::string, TokenId> ids;
  std::unordered_map<std::int64_t, std::string> texts;  ///< bytes that a token stands for
  std::unordered_set<std::int64_t> special;
};

Tokenizer::Tokenizer(const std::filesystem::path& file) {
  const TokenizerFile content = read_tokenizer_file(file);
  try {
    parts_ = std::make_unique<Parts>(content);
  } catch (const InputError& error) {
    throw InputError(fmt::format("{}: {}", file.string(), error.what()));
  }
}

Tokenizer::~Tokenizer() = default;
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;

std::vector<std::int64_t> Tokenizer::encode(std::string_view text, bool add_special) const {
  const Parts& parts = *parts_;
  std::vector<std::int64_t> ids;
  if (add_special) ids.assign(parts.prefix.begin(), parts.prefix.end());
  const auto on_token = [&](TokenId id) { ids.push_back(id); };
  const auto on_words = [&](std::string_view stretch) {
    parts.splitter.split(stretch, [&](std::string_view word) { parts.pairs.encode(word, ids); });
  };
  const auto on_text = [&](std::string_view stretch) {
    parts.normalized_tokens.split(parts.nfc ? nfc(stretch) : std::string(stretch), on_words, on_token);
  };
  parts.raw_tokens.split(well_formed_utf8(text), on_text, on_token);
  if (add_special) ids.insert(ids.end(), parts.suffix.begin(), parts.suffix.end());
  return ids;
}

std::string Tokenizer::decode(std::span<const std::int64_t> ids, bool skip_special) const {
  std::string bytes;
  for (const auto id : ids) {
    if (skip_special && parts_->special.contains(id)) continue;
    if (const auto found = parts_->texts.find(id); found != parts_->texts.end()) bytes += found->second;
  }
  return well_formed_utf8(bytes);
}

std::optional<std::int64_t> Tokenizer::id(std::string_view token) const {
  const auto found = parts_->ids.find(std::string(token));
  if (found == parts_->ids.end()) return std::nullopt;
  return found->second;
}

}  // namespace cinecortex::models
