#include "text_states.hpp"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>

namespace cinecortex::models {
namespace {

/// Nodes of one tree: its attention mask grows with their square.
constexpr Index most_nodes = 2048;

at::Tensor as_tensor(const std::vector<Index>& values) {
  return at::tensor(values, at::kLong);
}

/// Whether computing `text` after `before` saves work.
bool continues(const TokenSequence& text, const TokenSequence& before) {
  return 2 * common_prefix(text, before) >= std::ssize(text);
}

/// Which of a text's `size` tokens stand for its last `count`: the first is repeated where there are fewer.
std::vector<Index> last_tokens(Index size, Index count) {
  std::vector<Index> places;
  for (Index i = size - count; i < size; ++i) places.push_back(std::max<Index>(0, i));
  return places;
}

}  // namespace

TextStates::TextStates(Decoder decoder, Settings settings)
    : decoder_(std::move(decoder)),
      settings_(std::move(settings)),
      trees_(most_nodes, "model llama"),
      batches_(settings_.batch, "model llama") {}

Index TextStates::width() const {
  return std::ssize(settings_.layers) * settings_.tokens * decoder_.config().width;
}

void TextStates::compute(Texts texts, ViewF rows) {
  const c10::InferenceMode inference;
  cache_.truncate(0);
  cached_.clear();
  for (Index begin = 0; begin < std::ssize(texts);) {
    const auto rest = texts.subspan(static_cast<std::size_t>(begin));
    const Index grow = growing(rest);
    if (grow > 0) {
      trees_.run(grow, [&](Range some) {
        compute_tree(
            rest.subspan(static_cast<std::size_t>(some.begin), static_cast<std::size_t>(some.size())),
            rows.middleRows(begin + some.begin, some.size()));
      });
      begin += grow;
      continue;
    }
    Index count = 1;
    while (count < std::ssize(rest) && growing(rest.subspan(static_cast<std::size_t>(count))) == 0) ++count;
    batches_.run(count, [&](Range some) {
      compute_batch(rest.subspan(static_cast<std::size_t>(some.begin), static_cast<std::size_t>(some.size())),
                    rows.middleRows(begin + some.begin, some.size()));
    });
    begin += count;
  }
}

/// How many of the texts make one tree: each goes on from the one before it, the first perhaps from the cache.
/// 0: the first has nothing to do with its neighbours.
Index TextStates::growing(Texts texts) const {
  Index count = 1, nodes = std::ssize(texts[0]);
  for (; count < std::ssize(texts); ++count) {
    const auto& text = texts[static_cast<std::size_t>(count)];
    const auto& before = texts[static_cast<std::size_t>(count) - 1];
    nodes += std::ssize(text) - common_prefix(text, before);
    if (!continues(text, before) || nodes > std::ssize(texts[0]) + most_nodes) break;
  }
  return count > 1 || continues(texts[0], cached_) ? count : 0;
}

/// Brings the cache to hold the first `trunk` tokens of the text and nothing else.
void TextStates::fill_cache(const TokenSequence& text, Index trunk) {
  const Index held = std::min(common_prefix(text, cached_), trunk);
  cache_.truncate(held);
  cached_.resize(static_cast<std::size_t>(held));
  if (held == trunk) return;
  const TokenSequence missing(text.begin() + held, text.begin() + trunk);
  decoder_.hidden_states({.embeddings = decoder_.embed(as_tensor(missing).unsqueeze(0)), .cache = &cache_},
                         {});
  cached_.insert(cached_.end(), missing.begin(), missing.end());
}

void TextStates::compute_tree(Texts texts, ViewF rows) {
  Index trunk = std::ssize(texts[0]);
  for (const auto& text : texts) {
    trunk = std::min({trunk, common_prefix(text, texts[0]), std::ssize(text) - settings_.tokens});
  }
  trunk = std::max<Index>(trunk, 0);
  fill_cache(texts[0], trunk);
  TokenTree tree(trunk);
  std::vector<Index> wanted;
  for (const auto& text : texts) {
    tree.add(text);
    for (const Index place : last_tokens(std::ssize(text), settings_.tokens)) {
      wanted.push_back(tree.path()[static_cast<std::size_t>(place - trunk)]);
    }
  }
  DecoderInput input{.embeddings = decoder_.embed(as_tensor(tree.tokens()).unsqueeze(0)), .cache = &cache_};
  if (tree.branched()) {
    const Index nodes = std::ssize(tree.tokens());
    input.positions = as_tensor(tree.positions());
    input.visible = at::tensor(tree.visible(), at::kByte).reshape({nodes, trunk + nodes}).to(at::kBool);
  }
  store(decoder_.hidden_states(input, {.layers = settings_.layers, .tokens = as_tensor(wanted).unsqueeze(0)}),
        rows);
  auto kept = tree.path();
  for (Index& node : kept) node += trunk;
  cache_.keep(trunk, as_tensor(kept));
  cached_ = texts.back();
}

void TextStates::compute_batch(Texts texts, ViewF rows) const {
  const auto longest = std::max_element(texts.begin(), texts.end(),
                                        [](const auto& a, const auto& b) { return a.size() < b.size(); });
  auto ids = at::zeros({std::ssize(texts), std::ssize(*longest)}, at::kLong);
  std::vector<Index> wanted;
  for (Index i = 0; i < std::ssize(texts); ++i) {
    const auto& text = texts[static_cast<std::size_t>(i)];
    std::copy(text.begin(), text.end(), ids.mutable_data_ptr<std::int64_t>() + i * ids.size(1));
    const auto places = last_tokens(std::ssize(text), settings_.tokens);
    wanted.insert(wanted.end(), places.begin(), places.end());
  }
  const auto tokens = as_tensor(wanted).reshape({std::ssize(texts), settings_.tokens});
  store(decoder_.hidden_states({.embeddings = decoder_.embed(ids)},
                               {.layers = settings_.layers, .tokens = tokens}),
        rows);
}

void TextStates::store(const std::vector<at::Tensor>& states, ViewF rows) const {
  const Index width = settings_.tokens * decoder_.config().width;
  for (Index i = 0; i < std::ssize(states); ++i) {
    const auto values = states[static_cast<std::size_t>(i)].to(at::kCPU, at::kFloat).contiguous();
    rows.middleCols(i * width, width) =
        Eigen::Map<const MatrixF>(values.const_data_ptr<float>(), rows.rows(), width);
  }
}

}  // namespace cinecortex::models
