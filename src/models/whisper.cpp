#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "batching.hpp"
#include "cinecortex/core/error.hpp"
#include "factories.hpp"
#include "finite.hpp"
#include "placement.hpp"
#include "whisper_clip.hpp"
#include "whisper_encoder.hpp"
#include "whisper_mel.hpp"

namespace cinecortex::models {
namespace {

using whisper::Encoder;

/// States of some blocks of Whisper's encoder at tokens of the TR, from the sound up to the TR's end.
class Whisper final : public Extractor {
 public:
  struct Settings {
    double tr_s;
    Index context;  ///< samples
    Index tokens;
    Index batch;  ///< clips at once
  };
  Whisper(const Settings& settings, std::unique_ptr<Encoder> encoder, Index layers, std::string identity)
      : settings_(settings),
        encoder_(std::move(encoder)),
        mel_(encoder_->shape().num_mel_bins, encoder_->shape().frames()),
        batches_(settings.batch, "model whisper"),
        identity_(std::move(identity)) {
    readings_.push_back(
        {.name = "", .width = layers * settings.tokens * encoder_->shape().d_model, .columns = {}});
  }

  Needs needs() const override { return Needs::audio; }
  const std::vector<Reading>& readings() const override { return readings_; }
  std::string identity() const override { return identity_; }

  void extract(const Stimulus& stimulus, Range rows, std::span<MatrixF> outputs) override {
    if (stimulus.audio.empty()) {
      throw InputError(fmt::format("{}: whisper needs sound, but there is none", stimulus.info.run));
    }
    std::vector<Range> clips;
    for (Index row = rows.begin; row < rows.end; ++row) {
      clips.push_back(
          whisper::clip_of_row(row, settings_.tr_s, settings_.context, std::ssize(stimulus.audio)));
    }
    const auto shared = mel_.share(stimulus.audio, clips);
    batches_.run(rows.size(), [&](Range batch) {
      const std::span<const Range> some(clips.data() + batch.begin, static_cast<std::size_t>(batch.size()));
      run(stimulus.audio, some, shared, outputs[0].middleRows(batch.begin, batch.size()));
    });
    require_finite(outputs[0], "whisper", stimulus.info.run, rows);
  }

 private:
  void run(std::span<const float> audio, std::span<const Range> clips,
           const whisper::MelSpectrogram::Tracks& shared, const ViewF& states) const {
    const auto size = static_cast<std::size_t>(mel_.bands() * mel_.frames());
    const Index span = whisper::tokens_per_row(settings_.tr_s);
    std::vector<float> spectrograms(clips.size() * size);
    std::vector<std::vector<Index>> tokens;
    for (std::size_t i = 0; i < clips.size(); ++i) {
      mel_.compute(audio, clips[i], shared, std::span(spectrograms).subspan(i * size, size));
      tokens.push_back(whisper::token_positions(clips[i].size(), span, settings_.tokens));
    }
    encoder_->run(spectrograms, tokens, states);
  }

  Settings settings_;
  std::unique_ptr<Encoder> encoder_;
  whisper::MelSpectrogram mel_;
  Batches batches_;
  std::string identity_;
  std::vector<Reading> readings_;
};

}  // namespace

std::unique_ptr<Extractor> make_whisper(const Options& options, const ModelConfig& config) {
  const Placement placement = make_placement(config.device, options.text("type"));
  const Checkpoint weights(config.weights, options.text("adapter"));
  const auto shape = whisper::EncoderShape::read(weights.config());
  const auto layers = options.indices("layers", {.most = shape.encoder_layers - 1},
                                      "the blocks of " + config.weights.string());
  auto encoder = std::make_unique<Encoder>(weights, shape, placement, layers);
  const Index span = whisper::tokens_per_row(config.tr_s);
  if (options.integer("tokens") > span) {
    options.fail("tokens", fmt::format("allowed: 1 to {}, the tokens of a TR of {} s", span, config.tr_s));
  }
  const auto context = static_cast<Index>(std::llround(options.real("context_s") * whisper::rate_hz));
  const Index longest = shape.frames() * whisper::hop;
  if (context > longest) {
    options.fail("context_s",
                 fmt::format("allowed: up to {:g}, what {} was made for",
                             static_cast<double>(longest) / whisper::rate_hz, config.weights.string()));
  }
  Digest identity;
  identity.add("whisper 1").add(config.tr_s).add(weights.identity()).add(options.real("context_s"));
  identity.add(options.integer("tokens"))
      .add(std::as_bytes(std::span(layers)))
      .add(c10::toString(placement.type));
  constexpr Index most = 32;
  const Index batch =
      batch_size(options.integer("batch"), placement.devices.front().str(), encoder->bytes_per_clip(), most);
  return std::make_unique<Whisper>(
      Whisper::Settings{
          .tr_s = config.tr_s, .context = context, .tokens = options.integer("tokens"), .batch = batch},
      std::move(encoder), std::ssize(layers), identity.hex());
}

}  // namespace cinecortex::models
