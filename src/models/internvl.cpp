#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "batching.hpp"
#include "cinecortex/core/error.hpp"
#include "factories.hpp"
#include "finite.hpp"
#include "internvl_network.hpp"
#include "internvl_prompt.hpp"
#include "time_grid.hpp"
#include "tokenizer.hpp"

namespace cinecortex::models {
namespace {

using internvl::Network;
using internvl::Prompt;

/// A vision-language model on the pictures of a TR and the words up to its end: three readings from one pass.
class InternVl final : public Extractor {
 public:
  struct Settings {
    double tr_s = 0;
    std::vector<Index> layers;
    Index frames = 0, tokens = 0, words = 0;
    Index batch = 0;  ///< TRs whose pictures are encoded at once
  };
  InternVl(const Settings& settings, std::unique_ptr<Network> network, Tokenizer tokenizer,
           const internvl::PictureTokens& picture, std::string identity)
      : settings_(settings),
        network_(std::move(network)),
        tokenizer_(std::move(tokenizer)),
        picture_(picture),
        batches_(settings.batch, "model internvl"),
        identity_(std::move(identity)) {
    const Index width = network_->width();
    readings_ = {{.name = "img", .width = settings.frames * width, .columns = {}},
                 {.name = "text", .width = (1 + std::ssize(settings.layers)) * width, .columns = {}},
                 {.name = "vit", .width = settings.frames * network_->vision_width(), .columns = {}}};
  }

  Needs needs() const override { return Needs::frames | Needs::text; }
  const std::vector<Reading>& readings() const override { return readings_; }
  std::string identity() const override { return identity_; }

  std::optional<FrameRequest> frame_request(const RunInfo&, Range rows) const override {
    const int side = static_cast<int>(network_->image_size());
    return FrameRequest{.times_s = midpoints_of_rows(rows, settings_.frames, settings_.tr_s),
                        .height = side,
                        .width = side,
                        .interpolation = Interpolation::bicubic_pillow};
  }

  void extract(const Stimulus& stimulus, Range rows, std::span<MatrixF> outputs) override {
    const Index frames = rows.size() * settings_.frames;
    if (stimulus.frames == nullptr || stimulus.frames->count != frames) {
      throw InputError(fmt::format("{}: internvl needs {} frames, but there are {}", stimulus.info.run,
                                   frames, stimulus.frames == nullptr ? 0 : stimulus.frames->count));
    }
    network_->forget();  // the same rows give the same numbers to the last bit, whatever was extracted before
    batches_.run(rows.size(), [&](Range batch) {
      std::vector<Prompt> prompts;
      for (Index row = batch.begin; row < batch.end; ++row) {
        prompts.push_back(prompt(stimulus.transcript, rows.begin + row));
      }
      const auto part = [&](std::size_t reading) -> ViewF {
        if (outputs[reading].size() == 0) return outputs[reading];
        return outputs[reading].middleRows(batch.begin, batch.size());
      };
      network_->run(prompts, stimulus.frames->frame(batch.begin * settings_.frames), settings_.layers,
                    settings_.tokens, {.img = part(0), .text = part(1), .vit = part(2)});
    });
    for (std::size_t i = 0; i < outputs.size(); ++i)
      require_finite(outputs[i], "internvl, reading " + readings_[i].name + ",", stimulus.info.run, rows);
  }

 private:
  Prompt prompt(std::span<const TranscriptRow> transcript, Index row) const {
    return internvl::make_prompt(internvl::prompt_text(transcript, row, settings_.words), settings_.frames,
                                 picture_,
                                 [&](std::string_view text) { return tokenizer_.encode(text, false); });
  }

  Settings settings_;
  std::unique_ptr<Network> network_;
  Tokenizer tokenizer_;
  internvl::PictureTokens picture_;
  Batches batches_;
  std::string identity_;
  std::vector<Reading> readings_;
};

internvl::PictureTokens picture_tokens(const Tokenizer& tokenizer, const std::filesystem::path& file,
                                       Index count) {
  const auto id = [&](const char* token) {
    if (const auto found = tokenizer.id(token)) return *found;
    throw InputError(
        fmt::format("{}: there is no token {}; this is not the tokenizer of InternVL", file.string(), token));
  };
  return {.begin = id("<img>"), .context = id("<IMG_CONTEXT>"), .end = id("</img>"), .count = count};
}

}  // namespace

std::unique_ptr<Extractor> make_internvl(const Options& options, const ModelConfig& config) {
  const auto placement = make_placement(config.device, options.text("type"), options.integer("gpus"));
  const auto file = config.weights / "tokenizer.json";
  Tokenizer tokenizer(file);
  auto network = std::make_unique<Network>(internvl::NetworkConfig{
      .weights = config.weights, .adapter = options.text("adapter"), .placement = placement});
  constexpr Index most = 16;
  const InternVl::Settings settings{
      .tr_s = config.tr_s,
      .layers = options.indices(
          "layers", {.most = network->blocks() - 2, .ascending = false, .may_be_empty = true},
          fmt::format("the language model has {} blocks, and what follows the last one is always taken",
                      network->blocks())),
      .frames = options.integer("frames"),
      .tokens = options.integer("tokens"),
      .words = options.integer("words"),
      .batch = batch_size(options.integer("batch"), placement.devices.front().str(),
                          network->bytes_per_tr(options.integer("frames")), most)};
  const auto picture = picture_tokens(tokenizer, file, network->image_tokens());
  Digest identity;
  identity.add("internvl 1").add(config.tr_s).add(network->identity()).add(file_digest(file));
  identity.add(std::as_bytes(std::span(settings.layers)))
      .add(settings.frames)
      .add(settings.tokens)
      .add(settings.words);
  identity.add(c10::toString(placement.type));
  return std::make_unique<InternVl>(settings, std::move(network), std::move(tokenizer), picture,
                                    identity.hex());
}

}  // namespace cinecortex::models
