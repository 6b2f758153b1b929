#pragma once
#include <span>
#include <vector>

#include "batching.hpp"
#include "decoder.hpp"
#include "token_tree.hpp"

namespace cinecortex::models {

/// Hidden states at the last tokens of texts, where each text mostly continues the one before it.
///
/// Texts that begin like their predecessor go through the decoder together, each token once: what they have in
/// common with earlier ones of the call comes from a key-value cache, and where a tokenizer joins the
/// end of a text with what follows, both readings go side by side as branches of a tree. Texts that begin
/// differently, as those of a sliding window do, go as a batch.
///
/// Nothing is kept from call to call, so that the same texts give the same numbers to the last bit whatever was asked before.
class TextStates {
 public:
  struct Settings {
    std::vector<Index> layers;  ///< hidden states, ascending, as WantedStates::layers
    Index tokens = 7;           ///< the last ones of a text
    Index batch = 1;            ///< texts of a batch; fewer where memory runs out
  };
  TextStates(Decoder decoder, Settings settings);

  Index width() const;  ///< of a row: layers × tokens × width of the decoder

  /// @param texts  at least one token each
  /// @param rows   [texts, width()]: layer by layer, the oldest token first; a text with fewer tokens has its
  ///               first one repeated in front
  /// @throws InputError: a token the decoder does not have, a text too long for it.   Collective: no.
  void compute(std::span<const TokenSequence> texts, ViewF rows);

 private:
  using Texts = std::span<const TokenSequence>;
  Index growing(Texts texts) const;
  void compute_tree(Texts texts, ViewF rows);
  void compute_batch(Texts texts, ViewF rows) const;
  void fill_cache(const TokenSequence& text, Index trunk);
  void store(const std::vector<at::Tensor>& states, ViewF rows) const;

  Decoder decoder_;
  Settings settings_;
  Batches trees_, batches_;
  KeyValueCache cache_;
  TokenSequence cached_;  ///< what cache_ holds
};

}  // namespace cinecortex::models
