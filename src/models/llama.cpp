#include <fmt/format.h>

#include <algorithm>

#include "cinecortex/core/error.hpp"
#include "factories.hpp"
#include "finite.hpp"
#include "text_states.hpp"
#include "text_windows.hpp"
#include "tokenizer.hpp"

namespace cinecortex::models {
namespace {

/// States of some layers of a language model at the last tokens of what was said in the run up to the TR.
class Llama final : public Extractor {
 public:
  Llama(Tokenizer tokenizer, TextStates states, Index words, std::string identity)
      : tokenizer_(std::move(tokenizer)),
        states_(std::move(states)),
        words_(words),
        identity_(std::move(identity)) {
    readings_.push_back({.name = "", .width = states_.width(), .columns = {}});
  }

  Needs needs() const override { return Needs::text; }
  const std::vector<Reading>& readings() const override { return readings_; }
  std::string identity() const override { return identity_; }

  void extract(const Stimulus& stimulus, Range rows, std::span<MatrixF> outputs) override {
    if (rows.end > std::ssize(stimulus.transcript)) {
      throw InputError(fmt::format("{}: llama needs {} transcript rows, but there are {}", stimulus.info.run,
                                   rows.end, stimulus.transcript.size()));
    }
    const TextWindows windows(stimulus.transcript.first(static_cast<std::size_t>(rows.end)), words_);
    std::vector<TokenSequence> texts;
    std::vector<Index> text_of_row;
    for (Index row = rows.begin; row < rows.end; ++row) {
      if (row == rows.begin || windows.at(row) != windows.at(row - 1))
        texts.push_back(tokens(stimulus.info, windows.at(row)));
      text_of_row.push_back(std::ssize(texts) - 1);
    }
    MatrixF states(std::ssize(texts), states_.width());
    compute(stimulus.info, texts, states);
    for (Index i = 0; i < rows.size(); ++i)
      outputs[0].row(i) = states.row(text_of_row[static_cast<std::size_t>(i)]);
    require_finite(states, "llama", stimulus.info.run, rows);
  }

 private:
  TokenSequence tokens(const RunInfo& info, std::string_view text) const {
    auto ids = tokenizer_.encode(text);
    if (ids.empty())
      throw InputError(fmt::format("{}: the tokenizer makes nothing of \"{}\"", info.run, text));
    return ids;
  }

  void compute(const RunInfo& info, const std::vector<TokenSequence>& texts, MatrixF& states) {
    try {
      states_.compute(texts, states);
    } catch (const InputError& error) {
      throw InputError(fmt::format("{}: {}", info.run, error.what()));
    }
  }

  Tokenizer tokenizer_;
  TextStates states_;
  Index words_;
  std::string identity_;
  std::vector<Reading> readings_;
};

/// Memory that a text takes on its way through, roughly, where it has as many words as there may be.
Index bytes_per_text(const DecoderConfig& config, c10::ScalarType type, Index words) {
  constexpr Index tokens_per_word = 2;
  const Index numbers = 12 * config.width + 4 * config.mlp_width + config.cache_width();
  return words * tokens_per_word * numbers * static_cast<Index>(c10::elementSize(type));
}

Tokenizer open_tokenizer(const std::filesystem::path& weights) {
  if (!std::filesystem::is_directory(weights)) {
    throw InputError(
        fmt::format("{}: weights of model llama are a folder with config.json, safetensors and "
                    "tokenizer.json",
                    weights.string()));
  }
  return Tokenizer(weights / "tokenizer.json");
}

}  // namespace

std::unique_ptr<Extractor> make_llama(const Options& options, const ModelConfig& config) {
  auto tokenizer = open_tokenizer(config.weights);
  const Checkpoint weights(config.weights, options.text("adapter"));
  const auto sizes = DecoderConfig::read(weights.config());
  const auto layers = options.indices("layers", {.most = sizes.layers},
                                      "0 is the embedding, the last one is behind the final norm");
  const auto placement = make_placement(config.device, options.text("type"), options.integer("gpus"));
  const Index words = options.integer("words");
  Digest identity;
  identity.add("llama 1").add(weights.identity()).add(file_digest(config.weights / "tokenizer.json"));
  identity.add(std::as_bytes(std::span(layers))).add(options.integer("tokens")).add(words);
  identity.add(c10::toString(placement.type));
  Decoder decoder(weights, sizes, DecoderNames::find(weights), placement, Decoder::Head::none);
  constexpr Index most = 16;
  const Index batch = batch_size(options.integer("batch"), placement.devices.front().str(),
                                 bytes_per_text(sizes, placement.type, words), most);
  TextStates states(std::move(decoder),
                    {.layers = layers, .tokens = options.integer("tokens"), .batch = batch});
  return std::make_unique<Llama>(std::move(tokenizer), std::move(states), words, identity.hex());
}

}  // namespace cinecortex::models
