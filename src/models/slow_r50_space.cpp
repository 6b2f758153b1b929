#include <ATen/Functions.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "batching.hpp"
#include "cinecortex/core/error.hpp"
#include "factories.hpp"
#include "finite.hpp"
#include "placement.hpp"
#include "slow_r50.hpp"
#include "time_grid.hpp"

namespace cinecortex::models {
namespace {

/// The frames of a TR are those that begin in it; 8 of them are taken, evenly spaced, the first and the last included, as
/// pytorchvideo's UniformTemporalSubsample(8) takes them.
class FrameChoice {
 public:
  /// @pre the run has video
  FrameChoice(const RunInfo& info, Index rows)
      : tr_s_(info.tr_s), rate_hz_(info.frame_rate_hz > 0 ? info.frame_rate_hz : assumed_rate_hz) {
    // The last TR may lie half behind the end of the video: it has at least its first frame.
    count_ = std::max(static_cast<Index>(std::llround(info.video_s * rate_hz_)),
                      first_sample_of_row(rows - 1, tr_s_, rate_hz_, 0) + 1);
  }

  void append_times(Index row, std::vector<double>& times_s) const {
    Range own = samples_of_rows({row, row + 1}, tr_s_, rate_hz_);
    own.end = std::max(own.begin + 1, std::min(own.end, count_));
    for (Index i = 0; i < SlowR50::frames; ++i) {
      const auto frame = own.begin + i * (own.size() - 1) / (SlowR50::frames - 1);
      // The middle of a frame's time, so that rounded time stamps do not matter.
      times_s.push_back((static_cast<double>(frame) + 0.5) / rate_hz_);
    }
  }

 private:
  static constexpr double assumed_rate_hz = 30;  ///< of a file that does not say

  double tr_s_, rate_hz_;
  Index count_;
};

class SlowR50Space final : public Extractor {
 public:
  SlowR50Space(SlowR50 network, Index batch, std::string identity)
      : network_(std::move(network)), batches_(batch, "model slow_r50"), identity_(std::move(identity)) {
    readings_.push_back({.name = "", .width = 4 * network_.channels(), .columns = {}});
  }

  Needs needs() const override { return Needs::frames; }
  const std::vector<Reading>& readings() const override { return readings_; }
  std::string identity() const override { return identity_; }

  std::optional<FrameRequest> frame_request(const RunInfo& info, Range rows_wanted) const override {
    FrameRequest request;
    const FrameChoice choice(info, rows(info));
    for (Index row = rows_wanted.begin; row < rows_wanted.end; ++row)
      choice.append_times(row, request.times_s);
    request.height = request.width = static_cast<int>(SlowR50::size_px);
    request.fit = FrameFit::short_side_centre_crop;
    request.interpolation = Interpolation::bilinear_torch;
    return request;
  }

  void extract(const Stimulus& stimulus, Range rows, std::span<MatrixF> outputs) override {
    const Index wanted = rows.size() * SlowR50::frames;
    if (stimulus.frames == nullptr || stimulus.frames->count != wanted) {
      throw InputError(fmt::format("{}: slow_r50 wants {} frames, but has {}", stimulus.info.run, wanted,
                                   stimulus.frames == nullptr ? 0 : stimulus.frames->count));
    }
    batches_.run(rows.size(), [&](Range batch) {
      outputs[0].middleRows(batch.begin, batch.size()) =
          features(stimulus.frames->frame(batch.begin * SlowR50::frames), batch.size());
    });
    require_finite(outputs[0], "slow_r50", stimulus.info.run, rows);
  }

 private:
  MatrixF features(const std::uint8_t* pixels, Index clips) const {
    const c10::InferenceMode inference;
    const auto [mean, deviation] = SlowR50::mean_std;
    const auto rgb =
        at::from_blob(const_cast<std::uint8_t*>(pixels),
                      {clips, SlowR50::frames, SlowR50::size_px, SlowR50::size_px, 3}, at::kByte);
    const auto normalized = rgb.to(network_.device()).to(at::kFloat).div_(255).sub_(mean).div_(deviation);
    const auto pooled =
        network_.pooled(normalized.to(network_.type())).reshape({clips, -1}).cpu().contiguous();
    return Eigen::Map<const MatrixF>(pooled.const_data_ptr<float>(), clips, pooled.size(1));
  }

  SlowR50 network_;
  Batches batches_;
  std::string identity_;
  std::vector<Reading> readings_;
};

}  // namespace

std::unique_ptr<Extractor> make_slow_r50(const Options& options, const ModelConfig& config) {
  const Placement placement = make_placement(config.device, options.text("type"));
  const Checkpoint checkpoint(config.weights, options.text("adapter"));
  SlowR50 network(slow_r50_weights(checkpoint), placement.devices.front(), placement.type);
  Digest identity;
  identity.add("slow_r50 1").add(config.tr_s).add(checkpoint.identity()).add(c10::toString(placement.type));
  constexpr Index most = 32;
  const Index batch =
      batch_size(options.integer("batch"), network.device().str(), network.bytes_per_clip(), most);
  return std::make_unique<SlowR50Space>(std::move(network), batch, identity.hex());
}

}  // namespace cinecortex::models
