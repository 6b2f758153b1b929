#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "decoder.hpp"

namespace cinecortex::models {

/// How the next token is chosen.
struct Sampling {
  Index most_tokens = 256;
  double temperature = 0;          ///< 0: always the most probable token; else logits are divided by it
  Index top_k = 0;                 ///< draw from the k most probable tokens only; 0: from all
  double top_p = 1;                ///< … and from the fewest whose probabilities sum up to this
  std::uint64_t seed = 0;          ///< the same seed gives the same tokens
  std::vector<std::int64_t> stop;  ///< tokens that end the text
};

/// Continues a prompt, token by token, with a key-value cache.
/// @param decoder  with its head     @param prompt  at least one token, special ones included
/// @return the new tokens, without the one that ended them
/// @throws InputError: an empty prompt; numbers out of range; more tokens than the model has positions for.
///         Collective: no.
std::vector<std::int64_t> generate(const Decoder& decoder, std::span<const std::int64_t> prompt,
                                   const Sampling& sampling);

}  // namespace cinecortex::models
