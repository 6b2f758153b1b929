#include "cinecortex/models/motion_energy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cinecortex/core/error.hpp"
#include "factories.hpp"
#include "time_grid.hpp"

namespace cinecortex::models {
namespace {

/// Frames whose luminance is held at once.
constexpr Index block_frames = 64;

/// What pymoten adds before the logarithm.
constexpr double log_offset = 1e-5;

/// The frame of sample k is the one shown at (k + ½) / fps: the middle of its interval, so that a movie at
/// the same rate gives each of its frames once, whatever its time stamps were rounded to.
constexpr double middle = 0.5;

class MotionEnergy final : public Extractor {
 public:
  MotionEnergy(const MotionEnergySettings& settings, bool compress, double tr_s, std::string identity)
      : settings_(settings),
        fps_(static_cast<double>(settings.fps)),
        tr_s_(tr_s),
        compress_(compress),
        identity_(std::move(identity)),
        pyramid_(settings) {
    Reading reading{.name = "", .width = static_cast<Index>(pyramid_.filters().size()), .columns = {}};
    for (const auto& f : pyramid_.filters()) {
      reading.columns.push_back(fmt::format("x{:.3f} y{:.3f} sf{:g} dir{:g} tf{:g}", f.centre_x, f.centre_y,
                                            f.spatial_frequency, f.direction, f.temporal_frequency_hz));
    }
    readings_.push_back(std::move(reading));
  }

  Needs needs() const override { return Needs::frames; }
  const std::vector<Reading>& readings() const override { return readings_; }
  std::string identity() const override { return identity_; }

  std::optional<FrameRequest> frame_request(const RunInfo& info, Range rows) const override {
    FrameRequest request;
    const Range samples = with_context(info, rows);
    for (Index k = samples.begin; k < samples.end; ++k) {
      request.times_s.push_back((static_cast<double>(k) + middle) / fps_);
    }
    request.height = static_cast<int>(settings_.height);
    request.width = static_cast<int>(settings_.width);
    return request;
  }

  void extract(const Stimulus& stimulus, Range rows, std::span<MatrixF> outputs) override {
    const Range samples = with_context(stimulus.info, rows);
    if (stimulus.frames == nullptr || stimulus.frames->count != samples.size()) {
      throw InputError(fmt::format("{}: motion_energy wants {} frames, but has {}", stimulus.info.run,
                                   samples.size(), stimulus.frames == nullptr ? 0 : stimulus.frames->count));
    }
    const MatrixD responses = spatial_responses(*stimulus.frames);
    MatrixD energies;
    for (Index row = rows.begin; row < rows.end; ++row) {
      const Range own = samples_of_rows(stimulus.info, {row, row + 1});
      energies.resize(own.size(), pyramid_.filters().size());
      pyramid_.energies(responses, {own.begin - samples.begin, own.end - samples.begin}, energies);
      if (compress_) energies = (energies.array() + log_offset).log().matrix();
      outputs[0].row(row - rows.begin) = energies.colwise().mean().cast<float>();
    }
  }

 private:
  /// Samples of the run: at least one of its last TR, which the video may fill by half only.
  Index sample_count(const RunInfo& info) const {
    const auto of_video = static_cast<Index>(std::llround(info.video_s * fps_));
    return std::max(of_video, first_sample_of_row(rows(info) - 1, tr_s_, fps_, middle) + 1);
  }

  Range samples_of_rows(const RunInfo& info, Range rows) const {
    Range samples = models::samples_of_rows(rows, tr_s_, fps_, middle);
    samples.end = std::min(samples.end, sample_count(info));
    return samples;
  }

  Range with_context(const RunInfo& info, Range rows) const {
    const Range own = samples_of_rows(info, rows);
    return {std::max<Index>(0, own.begin - pyramid_.frames_before()),
            std::min(sample_count(info), own.end + pyramid_.frames_after())};
  }

  MatrixD spatial_responses(const FrameStack& frames) const {
    const Index pixels = settings_.height * settings_.width;
    MatrixD responses(frames.count, pyramid_.channels());
    MatrixD luminance;
    for (Index begin = 0; begin < frames.count; begin += block_frames) {
      const Index count = std::min(block_frames, frames.count - begin);
      luminance.resize(count, pixels);
      for (Index i = 0; i < count; ++i) {
        lightness_({frames.frame(begin + i), static_cast<std::size_t>(3 * pixels)},
                   {luminance.row(i).data(), static_cast<std::size_t>(pixels)});
      }
      pyramid_.spatial_responses(luminance, responses.middleRows(begin, count));
    }
    return responses;
  }

  MotionEnergySettings settings_;
  double fps_, tr_s_;
  bool compress_;
  std::string identity_;
  MotionEnergyPyramid pyramid_;
  LabLightness lightness_;
  std::vector<Reading> readings_;
};

void check(const Options& options, const MotionEnergySettings& settings, double tr_s) {
  const auto positive = [](double value) { return value > 0; };
  if (std::none_of(settings.spatial_frequencies.begin(), settings.spatial_frequencies.end(), positive)) {
    options.fail("spatial_frequencies", "name at least one above 0");
  }
  if (settings.temporal_frequencies_hz.empty()) options.fail("temporal_frequencies_hz", "name at least one");
  if (settings.directions.empty()) options.fail("directions", "name at least one");
  const double nyquist = static_cast<double>(std::min(settings.height, settings.width)) / 2;
  if (*std::max_element(settings.spatial_frequencies.begin(), settings.spatial_frequencies.end()) > nyquist) {
    options.fail("spatial_frequencies", fmt::format("frames of {} × {} pixels show at most {:g} cycles",
                                                    settings.height, settings.width, nyquist));
  }
  const double fps = static_cast<double>(settings.fps);
  if (*std::max_element(settings.temporal_frequencies_hz.begin(), settings.temporal_frequencies_hz.end()) >
      fps / 2) {
    options.fail("temporal_frequencies_hz",
                 fmt::format("{} frames per second show at most {:g} Hz", settings.fps, fps / 2));
  }
  if (fps * tr_s < 2) {
    options.fail("fps", fmt::format("allowed: {:g} or more, so that a TR of {:g} s has two frames",
                                    std::ceil(2 / tr_s), tr_s));
  }
}

}  // namespace

std::unique_ptr<Extractor> make_motion_energy(const Options& options, const ModelConfig& config) {
  MotionEnergySettings settings;
  settings.height = options.integer("height");
  settings.width = options.integer("width");
  settings.fps = options.integer("fps");
  settings.temporal_frequencies_hz = options.reals("temporal_frequencies_hz");
  settings.spatial_frequencies = options.reals("spatial_frequencies");
  settings.directions = options.reals("directions");
  settings.sf_gauss_ratio = options.real("sf_gauss_ratio");
  settings.max_spatial_env = options.real("max_spatial_env");
  settings.filter_spacing = options.real("filter_spacing");
  settings.tf_gauss_ratio = options.real("tf_gauss_ratio");
  settings.max_temp_env = options.real("max_temporal_env");
  settings.include_edges = options.flag("include_edges");
  settings.filter_width = options.integer("filter_width");
  check(options, settings, config.tr_s);

  Digest identity;
  identity.add("motion_energy 1").add(config.tr_s);
  options.add_to(identity);
  return std::make_unique<MotionEnergy>(settings, options.text("compress") == "log", config.tr_s,
                                        identity.hex());
}

}  // namespace cinecortex::models
