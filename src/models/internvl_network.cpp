#include "internvl_network.hpp"

#include <ATen/Functions.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "checkpoint.hpp"
#include "cinecortex/core/error.hpp"
#include "decoder.hpp"
#include "internvl_config.hpp"
#include "internvl_vision.hpp"

namespace cinecortex::models::internvl {
namespace {

Placement first_device(const Placement& placement) {
  return {.devices = {placement.devices.front()}, .type = placement.type};
}

/// Numbers in the weights of the vision encoder and the projector.
Index vision_parameters(const Checkpoint& weights, const Layout& layout) {
  Index sum = 0;
  for (const char* part : {"vision_model.", "mlp1.0.", "mlp1.1.", "mlp1.3."}) {
    sum += weights.parameters(layout.name(part));
  }
  return sum;
}

void check_vision_memory(const Checkpoint& weights, const Layout& layout, const Placement& placement) {
  const auto name = layout.name("vision_model.embeddings.class_embedding");
  const auto stored = weights.tensor(name, weights.shape(name)).scalar_type();
  if (placement.devices.front().is_cpu() && stored == placement.type) return;  // the file's own pages
  check_memory(weights.path().string(), first_device(placement),
               {vision_parameters(weights, layout) * static_cast<Index>(c10::elementSize(placement.type))});
}

Vision load_vision(const Checkpoint& weights, const Layout& layout, const Shape& shape,
                   const Placement& placement) {
  check_vision_memory(weights, layout, placement);
  const auto load = [&](const std::string& original, at::IntArrayRef sizes) {
    return weights.load(layout.name(original), sizes, placement.devices.front(), placement.type);
  };
  return Vision(load, shape, layout.fused());
}

DecoderConfig read_language(const Checkpoint& weights, const Layout& layout) {
  return DecoderConfig::read(weights.config().part(layout.language_config()));
}

/// Copies a row of numbers, on any device and of any type, into a row of a matrix.
void put(const at::Tensor& values, ViewF matrix, Index row, Index column = 0) {
  const at::Tensor numbers = values.to(at::kCPU, at::kFloat).contiguous();
  Eigen::Map<const Eigen::RowVectorXf> from(numbers.const_data_ptr<float>(), numbers.numel());
  matrix.row(row).segment(column, from.size()) = from;
}

at::Tensor mean_of(const at::Tensor& states, Range tokens) {
  return states.narrow(0, tokens.begin, tokens.size()).mean(0, false, at::kFloat);
}

}  // namespace

struct Network::Parts {
  Checkpoint weights;
  Layout layout;
  Shape shape;
  DecoderConfig language;
  Vision vision;
  Decoder decoder;
  c10::ScalarType type;
  KeyValueCache cache;             ///< of the prompt before …
  std::vector<std::int64_t> seen;  ///< … up to its first picture

  explicit Parts(const NetworkConfig& config)
      : weights(config.weights, config.adapter),
        layout(Layout::of(weights)),
        shape(read_shape(weights.config(), layout)),
        language(read_language(weights, layout)),
        vision(load_vision(weights, layout, shape, config.placement)),
        decoder(weights, language, {.body = layout.language_prefix(), .head = {}}, config.placement,
                Decoder::Head::none),
        type(config.placement.type) {}

  /// States of the wanted layers at the tokens of some ranges, one range after the other, each [tokens, width]. The last layer
  /// answers for these tokens only.
  std::vector<at::Tensor> read(const Prompt& prompt, const at::Tensor& pictures,
                               const std::vector<Index>& layers, const std::vector<Range>& ranges);
  Index shared_tokens(const Prompt& prompt) const;
};

/// Tokens that the prompt begins with in common with the one before; at least one is left to compute.
Index Network::Parts::shared_tokens(const Prompt& prompt) const {
  const Index most = std::min(std::ssize(seen), prompt.pictures.front() - 1);
  const auto end = prompt.ids.begin() + most;
  return std::mismatch(prompt.ids.begin(), end, seen.begin()).first - prompt.ids.begin();
}

std::vector<at::Tensor> Network::Parts::read(const Prompt& prompt, const at::Tensor& pictures,
                                             const std::vector<Index>& layers,
                                             const std::vector<Range>& ranges) {
  const Index from = shared_tokens(prompt), count = shape.image_tokens();
  cache.truncate(from);
  seen.clear();  // until the pass has come through
  const at::Tensor ids = at::from_blob(const_cast<std::int64_t*>(prompt.ids.data() + from),
                                       {std::ssize(prompt.ids) - from}, at::kLong);
  at::Tensor embeddings = decoder.embed(ids);
  for (std::size_t i = 0; i < prompt.pictures.size(); ++i) {
    embeddings.narrow(0, prompt.pictures[i] - from, count).copy_(pictures[static_cast<Index>(i)]);
  }
  std::vector<at::Tensor> wanted;
  for (const Range& range : ranges)
    wanted.push_back(at::arange(range.begin - from, range.end - from, at::kLong));
  auto states = decoder.hidden_states(
      {.embeddings = embeddings.unsqueeze(0), .cache = &cache, .positions = {}, .visible = {}},
      {.layers = layers, .tokens = at::cat(wanted).unsqueeze(0)});
  for (auto& layer : states) layer = layer.squeeze(0);
  seen.assign(prompt.ids.begin(), prompt.ids.begin() + prompt.pictures.front() - 1);
  return states;
}

Network::Network(const NetworkConfig& config) {
  const c10::InferenceMode inference;
  parts_ = std::make_unique<Parts>(config);
}
Network::~Network() = default;

Index Network::image_size() const noexcept {
  return parts_->shape.vision.image_size;
}
Index Network::image_tokens() const noexcept {
  return parts_->shape.image_tokens();
}
Index Network::vision_width() const noexcept {
  return parts_->shape.vision.hidden_size;
}
Index Network::width() const noexcept {
  return parts_->language.width;
}
Index Network::blocks() const noexcept {
  return parts_->language.layers;
}
std::string Network::identity() const {
  return parts_->weights.identity();
}

std::int64_t Network::bytes_per_tr(Index pictures) const {
  const VisionShape& vision = parts_->shape.vision;
  // States, their norm, queries, keys, values and their mix; or states, their norm and the inner layer.
  const Index token = 4 * vision.hidden_size + std::max(4 * vision.hidden_size, vision.intermediate_size);
  const Index pixels = 3 * vision.image_size * vision.image_size;
  const Index one = vision.tokens() * token + 2 * pixels;
  return pictures *
         (one * static_cast<Index>(c10::elementSize(parts_->type)) + pixels * Index{sizeof(float)});
}

void Network::forget() {
  parts_->seen.clear();
}

void Network::run(std::span<const Prompt> prompts, const std::uint8_t* rgb, const std::vector<Index>& layers,
                  Index tokens, const Outputs& outputs) {
  const c10::InferenceMode inference;
  const auto pictures = std::ssize(prompts.front().pictures), side = image_size();
  const at::Tensor pixels = at::from_blob(const_cast<std::uint8_t*>(rgb),
                                          {std::ssize(prompts) * pictures, side, side, 3}, at::kByte);
  const at::Tensor seen = parts_->vision.encode(parts_->vision.normalised(pixels));
  if (outputs.vit.size() > 0) {
    const at::Tensor first = seen.select(1, 0).reshape({std::ssize(prompts), -1});
    for (Index row = 0; row < std::ssize(prompts); ++row) put(first[row], outputs.vit, row);
  }
  if (outputs.img.size() == 0 && outputs.text.size() == 0) return;

  const at::Tensor image_tokens = parts_->vision.project(seen).unflatten(0, {-1, pictures});
  std::vector<Index> wanted{blocks()};
  for (const Index layer : layers) {
    if (outputs.text.size() > 0) wanted.push_back(layer + 1);
  }
  std::sort(wanted.begin(), wanted.end());
  const auto place = [&](Index state) {
    return static_cast<std::size_t>(std::lower_bound(wanted.begin(), wanted.end(), state) - wanted.begin());
  };
  for (Index row = 0; row < std::ssize(prompts); ++row) {
    const Prompt& prompt = prompts[static_cast<std::size_t>(row)];
    const bool img = outputs.img.size() > 0, text = outputs.text.size() > 0;
    std::vector<Range> ranges;
    for (Index i = 0; i < pictures && img; ++i) {
      const Index begin = prompt.pictures[static_cast<std::size_t>(i)];
      ranges.push_back({begin, begin + this->image_tokens()});
    }
    if (text) ranges.push_back({std::max(prompt.own.begin, prompt.own.end - tokens), prompt.own.end});
    const auto states = parts_->read(prompt, image_tokens[row], wanted, ranges);
    const at::Tensor& norm = states.back();
    for (Index i = 0; i < pictures && img; ++i) {
      put(mean_of(norm, {i * this->image_tokens(), (i + 1) * this->image_tokens()}), outputs.img, row,
          i * width());
    }
    if (!text) continue;
    const Range own{norm.size(0) - ranges.back().size(), norm.size(0)};
    put(mean_of(norm, own), outputs.text, row);
    for (std::size_t i = 0; i < layers.size(); ++i) {
      put(mean_of(states[place(layers[i] + 1)], own), outputs.text, row, static_cast<Index>(i + 1) * width());
    }
  }
}

}  // namespace cinecortex::models::internvl
