#include "script_feed.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "cinecortex/core/error.hpp"
#include "time_grid.hpp"

namespace cinecortex::models {
namespace {

constexpr double audio_rate_hz = 16000;

/// Frames at the midpoints of equal parts of the TR, normalised: (value / 255 − mean) / std.
class FrameFeed final : public ScriptFeed {
 public:
  FrameFeed(const Options& options, double tr_s)
      : count_(options.integer("frames")),
        height_(options.integer("height")),
        width_(options.integer("width")),
        crop_(options.text("fit") == "crop"),
        channels_first_(options.text("layout") == "bcthw"),
        tr_s_(tr_s) {
    const auto& layout = options.text("layout");
    if (layout == "bchw" && count_ != 1)
      options.fail("layout", fmt::format("allowed with frames = 1, not {}", count_));
    if (layout == "btchw") shape_ = {count_, 3, height_, width_};
    if (layout == "bcthw") shape_ = {3, count_, height_, width_};
    if (layout == "bchw") shape_ = {3, height_, width_};
    const auto mean = channel_values(options, "mean"), deviation = channel_values(options, "std");
    for (std::size_t channel = 0; channel < 3; ++channel) {
      for (std::size_t value = 0; value < 256; ++value) {
        normalised_[channel][value] =
            static_cast<float>((static_cast<double>(value) / 255 - mean[channel]) / deviation[channel]);
      }
    }
  }

  Needs needs() const override { return Needs::frames; }
  const std::vector<std::int64_t>& shape() const override { return shape_; }

  std::optional<FrameRequest> frame_request(Range rows) const override {
    FrameRequest request;
    request.times_s = midpoints_of_rows(rows, count_, tr_s_);
    request.height = static_cast<int>(height_);
    request.width = static_cast<int>(width_);
    request.fit = crop_ ? FrameFit::short_side_centre_crop : FrameFit::stretch;
    return request;
  }

  void fill(const Stimulus& stimulus, Range rows, Index row, std::span<float> slot) const override {
    if (stimulus.frames == nullptr || stimulus.frames->count != rows.size() * count_) {
      throw InputError(fmt::format("{}: torchscript wants {} frames, but has {}", stimulus.info.run,
                                   rows.size() * count_,
                                   stimulus.frames == nullptr ? 0 : stimulus.frames->count));
    }
    const Index pixels = height_ * width_;
    for (Index i = 0; i < count_; ++i) {
      const std::uint8_t* rgb = stimulus.frames->frame((row - rows.begin) * count_ + i);
      for (Index channel = 0; channel < 3; ++channel) {
        const Index plane = channels_first_ ? channel * count_ + i : i * 3 + channel;
        const auto& table = normalised_[static_cast<std::size_t>(channel)];
        float* out = slot.data() + plane * pixels;
        for (Index pixel = 0; pixel < pixels; ++pixel) out[pixel] = table[rgb[3 * pixel + channel]];
      }
    }
  }

 private:
  static std::array<double, 3> channel_values(const Options& options, const std::string& name) {
    const auto& given = options.reals(name);
    if (given.size() == 1) return {given[0], given[0], given[0]};
    if (given.size() != 3) options.fail(name, "allowed: one number, or three (red, green, blue)");
    return {given[0], given[1], given[2]};
  }

  Index count_, height_, width_;
  bool crop_, channels_first_;
  double tr_s_;
  std::vector<std::int64_t> shape_;
  std::array<std::array<float, 256>, 3> normalised_;
};

/// The sound of the last seconds up to the TR's end; silence before the run's start and behind its end.
class AudioFeed final : public ScriptFeed {
 public:
  AudioFeed(const Options& options, double tr_s)
      : tr_s_(tr_s), shape_{std::llround(options.real("context_s") * audio_rate_hz)} {}

  Needs needs() const override { return Needs::audio; }
  const std::vector<std::int64_t>& shape() const override { return shape_; }

  void fill(const Stimulus& stimulus, Range, Index row, std::span<float> slot) const override {
    if (stimulus.audio.empty()) {
      throw InputError(fmt::format("{}: torchscript needs sound, but there is none", stimulus.info.run));
    }
    const auto length = static_cast<Index>(stimulus.audio.size());
    const Index end = std::llround(static_cast<double>(row + 1) * tr_s_ * audio_rate_hz);
    const Index begin = end - shape_[0];
    const Index from = std::clamp<Index>(begin, 0, length), to = std::clamp<Index>(end, 0, length);
    std::fill(slot.begin(), slot.end(), 0.0f);
    std::copy(stimulus.audio.begin() + from, stimulus.audio.begin() + to, slot.begin() + (from - begin));
  }

 private:
  double tr_s_;
  std::vector<std::int64_t> shape_;
};

/// The last bytes of the run's text up to the TR's end, as UTF-8, whole characters only; zeros in front.
class ByteFeed final : public ScriptFeed {
 public:
  explicit ByteFeed(const Options& options) : shape_{options.integer("token_window")} {}

  Needs needs() const override { return Needs::text; }
  const std::vector<std::int64_t>& shape() const override { return shape_; }
  bool integral() const override { return true; }

  void fill(const Stimulus& stimulus, Range, Index row, std::span<float> slot) const override {
    if (row >= static_cast<Index>(stimulus.transcript.size())) {
      throw InputError(fmt::format("{}: torchscript needs {} transcript rows, but there are {}",
                                   stimulus.info.run, row + 1, stimulus.transcript.size()));
    }
    const std::string text =
        last_text(stimulus.transcript.first(static_cast<std::size_t>(row) + 1), slot.size());
    std::fill(slot.begin(), slot.end(), 0.0f);
    std::transform(text.begin(), text.end(), slot.end() - static_cast<std::ptrdiff_t>(text.size()),
                   [](char c) { return static_cast<float>(static_cast<unsigned char>(c)); });
  }

 private:
  static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
  static bool continues(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

  /// The end of the rows' text, at most `bytes` long. Rows are parted by a space where neither side has one.
  static std::string last_text(std::span<const TranscriptRow> rows, std::size_t bytes) {
    std::string text;
    for (std::size_t i = rows.size(); i-- > 0 && text.size() < bytes;) {
      const auto& earlier = rows[i].text;
      if (earlier.empty()) continue;
      const bool part = !text.empty() && !is_space(earlier.back()) && !is_space(text.front());
      text = earlier + (part ? " " : "") + text;
    }
    std::size_t start = text.size() > bytes ? text.size() - bytes : 0;
    while (start < text.size() && start > 0 && continues(text[start])) ++start;
    return text.substr(start);
  }

  std::vector<std::int64_t> shape_;
};

}  // namespace

std::unique_ptr<ScriptFeed> make_script_feed(const Options& options, double tr_s) {
  const auto& input = options.text("input");
  if (input == "audio") return std::make_unique<AudioFeed>(options, tr_s);
  if (input == "tokens") return std::make_unique<ByteFeed>(options);
  return std::make_unique<FrameFeed>(options, tr_s);
}

}  // namespace cinecortex::models
