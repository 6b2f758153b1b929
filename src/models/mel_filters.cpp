#include "mel_filters.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "cinecortex/core/error.hpp"

namespace cinecortex::models {
namespace {

// Slaney's scale: 3 mel every 200 Hz up to 1 kHz, then 27 mel for a factor of 6.4.
constexpr double slaney_hz_per_mel = 200.0 / 3, slaney_break_hz = 1000, slaney_break_mel = 15;
const double slaney_log_step = std::log(6.4) / 27;

double to_mel(MelScale scale, double hz) {
  if (scale == MelScale::htk) return 2595 * std::log10(1 + hz / 700);
  if (hz < slaney_break_hz) return hz / slaney_hz_per_mel;
  return slaney_break_mel + std::log(hz / slaney_break_hz) / slaney_log_step;
}

double to_hz(MelScale scale, double mel) {
  if (scale == MelScale::htk) return 700 * (std::pow(10, mel / 2595) - 1);
  if (mel < slaney_break_mel) return mel * slaney_hz_per_mel;
  return slaney_break_hz * std::exp((mel - slaney_break_mel) * slaney_log_step);
}

/// Corners of the triangles: bands + 2, equally spaced in mel.
std::vector<double> corners_hz(const LogMelSettings& settings) {
  const double low = to_mel(settings.scale, settings.f_min_hz);
  const double step =
      (to_mel(settings.scale, settings.f_max_hz) - low) / static_cast<double>(settings.bands + 1);
  std::vector<double> corners;
  for (Index i = 0; i < settings.bands + 2; ++i) {
    corners.push_back(to_hz(settings.scale, low + step * static_cast<double>(i)));
  }
  return corners;
}

}  // namespace

MatrixD mel_filters(const LogMelSettings& settings, Index fft_size) {
  const auto corners = corners_hz(settings);
  MatrixD filters(settings.bands, fft_size / 2 + 1);
  for (Index band = 0; band < settings.bands; ++band) {
    const double left = corners[static_cast<std::size_t>(band)];
    const double peak = corners[static_cast<std::size_t>(band) + 1];
    const double right = corners[static_cast<std::size_t>(band) + 2];
    const double height = settings.scale == MelScale::slaney ? 2 / (right - left) : 1;
    for (Index bin = 0; bin < filters.cols(); ++bin) {
      const double hz = static_cast<double>(bin) * settings.rate_hz / static_cast<double>(fft_size);
      const double rise = (hz - left) / (peak - left), fall = (right - hz) / (right - peak);
      filters(band, bin) = height * std::max(0.0, std::min(rise, fall));
    }
    if (filters.row(band).maxCoeff() <= 0) {
      throw InputError(
          fmt::format("mel band {} of {} ({:.0f} to {:.0f} Hz) lies between two frequencies of a {}-point "
                      "spectrum: use fewer bands or a longer window",
                      band + 1, settings.bands, left, right, fft_size));
    }
  }
  return filters;
}

}  // namespace cinecortex::models
