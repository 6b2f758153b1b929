#include "bilinear_resampler.hpp"

#include <algorithm>

namespace cinecortex::dataset {

BilinearResampler::BilinearResampler(Size from, Size to, int channels)
    : channels_(channels), rows_(taps(from.height, to.height)), columns_(taps(from.width, to.width)) {}

std::vector<BilinearResampler::Taps> BilinearResampler::taps(int from, int to) {
  std::vector<Taps> result;
  const float scale = static_cast<float>(from) / static_cast<float>(to);
  for (int i = 0; i < to; ++i) {
    const float place = std::max((static_cast<float>(i) + 0.5f) * scale - 0.5f, 0.0f);
    const int first = std::min(static_cast<int>(place), from - 1);
    result.push_back({first, std::min(first + 1, from - 1), place - static_cast<float>(first)});
  }
  return result;
}

void BilinearResampler::operator()(const std::uint8_t* source, std::ptrdiff_t stride_bytes,
                                   std::span<std::uint8_t> target) const {
  std::uint8_t* out = target.data();
  for (const Taps& row : rows_) {
    const std::uint8_t* const upper = source + row.first * stride_bytes;
    const std::uint8_t* const lower = source + row.second * stride_bytes;
    for (const Taps& column : columns_) {
      for (int channel = 0; channel < channels_; ++channel) {
        const auto left = column.first * channels_ + channel, right = column.second * channels_ + channel;
        const auto between = [&](const std::uint8_t* line) {
          const auto from = static_cast<float>(line[left]), to = static_cast<float>(line[right]);
          return from + column.weight * (to - from);
        };
        const float above = between(upper);
        *out++ = static_cast<std::uint8_t>(above + row.weight * (between(lower) - above) + 0.5f);
      }
    }
  }
}

}  // namespace cinecortex::dataset
