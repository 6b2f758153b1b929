#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cinecortex::models {

/// Text to token ids and back, as a Hugging Face `tokenizer.json` with a byte-level byte-pair model says
/// (Llama 3, Qwen2, GPT-2, SmolLM2): the same ids as the `tokenizers` package, in time n log n at most.
/// Characters newer than Unicode 14 are of no class to the pre-tokenizer.
/// Not thread-safe: words are remembered.   Collective: no.
class Tokenizer {
 public:
  /// @throws InputError naming the file and the place in it: not a tokenizer.json, or a component in it that
  ///         is not supported.
  explicit Tokenizer(const std::filesystem::path& file);
  ~Tokenizer();
  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;

  /// @param text         UTF-8; each ill-formed part counts as U+FFFD, as in Python's errors="replace"
  /// @param add_special  put the special tokens of the file's template around it (BOS, EOS)
  std::vector<std::int64_t> encode(std::string_view text, bool add_special = true) const;

  /// @param skip_special  leave special tokens out
  /// @return well-formed UTF-8; bytes that are no characters become U+FFFD; ids without a token are left out
  std::string decode(std::span<const std::int64_t> ids, bool skip_special = true) const;

  /// The id of a token as the file writes it, e.g. "<|eot_id|>" or "Ġthe".
  std::optional<std::int64_t> id(std::string_view token) const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace cinecortex::models
