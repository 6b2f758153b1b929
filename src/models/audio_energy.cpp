#include <fmt/format.h>

#include <cmath>

#include "cinecortex/core/error.hpp"
#include "cinecortex/models/log_mel.hpp"
#include "factories.hpp"
#include "time_grid.hpp"

namespace cinecortex::models {
namespace {

constexpr double rate_hz = 16000;  ///< of Stimulus::audio

/// Mean and standard deviation of each mel band over the frames whose centre lies in the TR.
class AudioEnergy final : public Extractor {
 public:
  AudioEnergy(const LogMelSettings& settings, double tr_s, std::string identity)
      : mel_(settings),
        frame_rate_hz_(rate_hz / static_cast<double>(settings.hop)),
        tr_s_(tr_s),
        identity_(std::move(identity)) {
    Reading reading{.name = "", .width = 2 * settings.bands, .columns = {}};
    for (const char* statistic : {"mean", "sd"}) {
      for (Index band = 0; band < settings.bands; ++band) {
        reading.columns.push_back(fmt::format("mel{} {}", band, statistic));
      }
    }
    readings_.push_back(std::move(reading));
  }

  Needs needs() const override { return Needs::audio; }
  const std::vector<Reading>& readings() const override { return readings_; }
  std::string identity() const override { return identity_; }

  void extract(const Stimulus& stimulus, Range rows, std::span<MatrixF> outputs) override {
    if (stimulus.audio.empty()) {
      throw InputError(fmt::format("{}: audio_energy needs sound, but there is none", stimulus.info.run));
    }
    const Index bands = mel_.settings().bands;
    MatrixF energies;
    for (Index row = rows.begin; row < rows.end; ++row) {
      const Range frames = samples_of_rows({row, row + 1}, tr_s_, frame_rate_hz_);
      energies.resize(frames.size(), bands);
      mel_.compute(stimulus.audio, frames, energies);
      // Relative to the first frame: bands that stay the same have exactly no deviation.
      const Eigen::RowVectorXd first = energies.row(0).cast<double>();
      const MatrixD change = energies.cast<double>().rowwise() - first;
      const Eigen::RowVectorXd mean = change.colwise().mean();
      const Eigen::RowVectorXd variance =
          (change.rowwise() - mean).colwise().squaredNorm() / double(frames.size());
      auto out = outputs[0].row(row - rows.begin);
      out.head(bands) = (first + mean).cast<float>();
      out.tail(bands) = variance.cwiseSqrt().cast<float>();
    }
  }

 private:
  LogMel mel_;
  double frame_rate_hz_, tr_s_;
  std::string identity_;
  std::vector<Reading> readings_;
};

}  // namespace

std::unique_ptr<Extractor> make_audio_energy(const Options& options, const ModelConfig& config) {
  LogMelSettings settings;
  settings.rate_hz = rate_hz;
  settings.window = std::llround(options.real("window_ms") * rate_hz / 1000);
  settings.hop = std::llround(options.real("hop_ms") * rate_hz / 1000);
  settings.bands = options.integer("bands");
  settings.scale = options.text("mel") == "htk" ? MelScale::htk : MelScale::slaney;
  settings.f_min_hz = options.real("f_min_hz");
  settings.f_max_hz = options.real("f_max_hz");
  if (settings.f_max_hz <= settings.f_min_hz) {
    options.fail("f_max_hz", fmt::format("allowed: more than f_min_hz = {:g}", settings.f_min_hz));
  }
  if (static_cast<double>(settings.hop) > config.tr_s * rate_hz) {
    options.fail("hop_ms", fmt::format("allowed: no more than the TR, {:g} ms", config.tr_s * 1000));
  }
  Digest identity;
  identity.add("audio_energy 1").add(config.tr_s);
  options.add_to(identity);
  try {
    return std::make_unique<AudioEnergy>(settings, config.tr_s, identity.hex());
  } catch (const InputError& error) {
    options.fail("bands", error.what());
  }
}

}  // namespace cinecortex::models
