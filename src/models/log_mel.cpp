#include "cinecortex/models/log_mel.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>

#include "cinecortex/linalg/dense.hpp"
#include "fft.hpp"
#include "mel_filters.hpp"

namespace cinecortex::models {

LogMel::LogMel(const LogMelSettings& settings)
    : settings_(settings),
      fft_size_(static_cast<Index>(std::bit_ceil(static_cast<std::size_t>(settings.window)))),
      window_(settings.window),
      filters_(mel_filters(settings, fft_size_).cast<float>()) {
  for (Index i = 0; i < settings.window; ++i) {
    const double turn = static_cast<double>(i) / static_cast<double>(settings.window);
    window_[i] = static_cast<float>(0.5 - 0.5 * std::cos(2 * std::numbers::pi * turn));
  }
}

void LogMel::compute(std::span<const float> audio, Range frames, ViewF bands) const {
  if (frames.empty()) return;
  MatrixF signals = MatrixF::Zero(frames.size(), fft_size_);
  const auto length = static_cast<Index>(audio.size());
  for (Index frame = frames.begin; frame < frames.end; ++frame) {
    const Index start = frame * settings_.hop - settings_.window / 2;
    const Index from = std::max<Index>(0, -start);
    const Index to = std::min(settings_.window, length - start);
    for (Index i = from; i < to; ++i) {
      signals(frame - frames.begin, i) = window_[i] * audio[static_cast<std::size_t>(start + i)];
    }
  }
  MatrixF power;
  power_spectrum(signals, power);
  linalg::gemm(false, true, 1.0f, power, filters_, 0.0f, bands);
  bands = bands.array().max(floor).log().matrix();
}

}  // namespace cinecortex::models
