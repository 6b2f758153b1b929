#pragma once
#include <span>

#include "cinecortex/core/types.hpp"

namespace cinecortex::models {

enum class MelScale {
  slaney,  ///< linear below 1 kHz, logarithmic above; triangles of equal area (librosa's default)
  htk,     ///< 2595 log10(1 + f / 700); triangles of height 1
};

struct LogMelSettings {
  double rate_hz = 16000;
  Index window = 400;  ///< samples of the periodic Hann window
  Index hop = 160;     ///< samples between the centres of frames
  Index bands = 64;
  MelScale scale = MelScale::slaney;
  double f_min_hz = 0, f_max_hz = 8000;
};

/// Log-mel spectrogram: ln max(M · |FFT(w · x)|², 1e-10), the power spectrum of a windowed frame, summed in
/// triangular bands.
class LogMel {
 public:
  static constexpr float floor = 1e-10f;

  /// @throws InputError if a band holds no frequency of the spectrum (too many bands for the window).
  explicit LogMel(const LogMelSettings& settings);

  const LogMelSettings& settings() const noexcept { return settings_; }
  Index fft_size() const noexcept { return fft_size_; }         ///< the power of two from `window` up
  const MatrixF& filters() const noexcept { return filters_; }  ///< [bands, fft_size / 2 + 1]

  /// Frame m is centred on sample m · hop; samples outside of `audio` are silence.
  /// @param bands  [frames.size(), bands], overwritten.   Collective: no.
  void compute(std::span<const float> audio, Range frames, ViewF bands) const;

 private:
  LogMelSettings settings_;
  Index fft_size_;
  Eigen::ArrayXf window_;
  MatrixF filters_;
};

}  // namespace cinecortex::models
