#include "bicubic_resampler.hpp"

#include <algorithm>
#include <cmath>

namespace cinecortex::dataset {
namespace {

constexpr int weight_bits = 22;
constexpr std::int32_t half = 1 << (weight_bits - 1);

double cubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

std::uint8_t to_pixel(std::int32_t sum) {
  return static_cast<std::uint8_t>(std::clamp(sum >> weight_bits, 0, 255));
}

}  // namespace

BicubicResampler::BicubicResampler(Size from, Size to, int channels)
    : from_(from),
      to_(to),
      channels_(channels),
      along_row_(weights(from.width, to.width)),
      along_column_(weights(from.height, to.height)),
      rows_(static_cast<std::size_t>(Index{from.height} * to.width * channels)),
      sums_(static_cast<std::size_t>(Index{to.width} * channels)) {}

BicubicResampler::Weights BicubicResampler::weights(int from, int to) {
  const double scale = static_cast<double>(from) / to;
  const double stretch = std::max(scale, 1.0);
  const double support = 2 * stretch, shrink = 1 / stretch;  // Pillow multiplies: the last bit of a weight
  Weights result;
  result.taps = static_cast<int>(std::ceil(support)) * 2 + 1;
  result.first.resize(static_cast<std::size_t>(to));
  result.values.resize(static_cast<std::size_t>(Index{to} * result.taps));
  std::vector<double> exact(static_cast<std::size_t>(result.taps));
  for (int i = 0; i < to; ++i) {
    const double centre = (i + 0.5) * scale;
    const int first = std::max(static_cast<int>(centre - support + 0.5), 0);
    const int count = std::min(static_cast<int>(centre + support + 0.5), from) - first;
    double sum = 0;
    for (int k = 0; k < count; ++k) {
      sum += exact[static_cast<std::size_t>(k)] = cubic((k + first - centre + 0.5) * shrink);
    }
    result.first[static_cast<std::size_t>(i)] = first;
    std::int32_t* values = result.values.data() + Index{i} * result.taps;
    for (int k = 0; k < count; ++k) {
      const double scaled = exact[static_cast<std::size_t>(k)] / sum * (1 << weight_bits);
      values[k] = static_cast<std::int32_t>(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
    }
  }
  return result;
}

void BicubicResampler::resample_row(const std::uint8_t* source, std::uint8_t* target) const {
  const int taps = along_row_.taps;
  for (int i = 0; i < to_.width; ++i) {
    const int first = along_row_.first[static_cast<std::size_t>(i)];
    const int count = std::min(taps, from_.width - first);
    const std::int32_t* values = along_row_.values.data() + Index{i} * taps;
    const std::uint8_t* from = source + Index{first} * channels_;
    if (channels_ == 3) {
      std::int32_t red = half, green = half, blue = half;
      for (int k = 0; k < count; ++k, from += 3) {
        red += values[k] * from[0];
        green += values[k] * from[1];
        blue += values[k] * from[2];
      }
      *target++ = to_pixel(red);
      *target++ = to_pixel(green);
      *target++ = to_pixel(blue);
      continue;
    }
    for (int channel = 0; channel < channels_; ++channel) {
      std::int32_t sum = half;
      for (int k = 0; k < count; ++k) sum += values[k] * from[Index{k} * channels_ + channel];
      *target++ = to_pixel(sum);
    }
  }
}

void BicubicResampler::resample_columns(int row, std::uint8_t* target) {
  const int taps = along_column_.taps;
  const int first = along_column_.first[static_cast<std::size_t>(row)];
  const int count = std::min(taps, from_.height - first);
  const std::int32_t* values = along_column_.values.data() + Index{row} * taps;
  std::fill(sums_.begin(), sums_.end(), half);
  for (int k = 0; k < count; ++k) {
    const std::uint8_t* from = rows_.data() + Index{first + k} * static_cast<Index>(sums_.size());
    const std::int32_t weight = values[k];
    for (std::size_t i = 0; i < sums_.size(); ++i) sums_[i] += weight * from[i];
  }
  std::transform(sums_.begin(), sums_.end(), target, to_pixel);
}

void BicubicResampler::operator()(const std::uint8_t* source, std::ptrdiff_t stride_bytes,
                                  std::span<std::uint8_t> target) {
  const Index row_bytes = Index{to_.width} * channels_;
  for (int row = 0; row < from_.height; ++row) {
    const std::uint8_t* from = source + row * stride_bytes;
    std::uint8_t* to = rows_.data() + row * row_bytes;
    if (from_.width == to_.width) {
      std::copy_n(from, row_bytes, to);
    } else {
      resample_row(from, to);
    }
  }
  for (int row = 0; row < to_.height; ++row) {
    std::uint8_t* to = target.data() + row * row_bytes;
    if (from_.height == to_.height) {
      std::copy_n(rows_.data() + row * row_bytes, row_bytes, to);
    } else {
      resample_columns(row, to);
    }
  }
}

}  // namespace cinecortex::dataset
