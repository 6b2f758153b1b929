#include "whisper_clip.hpp"

#include <algorithm>
#include <cmath>

namespace cinecortex::models::whisper {
namespace {

Index samples_until_row(Index row, double tr_s) {
  return std::llround(static_cast<double>(row) * tr_s * static_cast<double>(rate_hz));
}

Index ceil_divide(Index a, Index b) {
  return (a + b - 1) / b;
}

}  // namespace

Range clip_of_row(Index row, double tr_s, Index context, Index sound) {
  const Index tr_begin = samples_until_row(row, tr_s), tr_end = samples_until_row(row + 1, tr_s);
  return {std::max<Index>(0, tr_end - context), tr_begin < sound ? std::min(tr_end, sound) : tr_end};
}

Index tokens_per_row(double tr_s) {
  constexpr double slack = 1e-9;  // 1.5 s are 75 tokens, whatever the product's last bit says
  return std::max<Index>(1, static_cast<Index>(std::ceil(tr_s * tokens_per_second - slack)));
}

std::vector<Index> token_positions(Index samples, Index span, Index count) {
  const Index padding = ceil_divide(ceil_divide(samples, hop), frames_per_token);
  const double step =
      count > 1 ? static_cast<double>(1 - span) / static_cast<double>(count - 1) : 0;  // as NumPy's linspace
  std::vector<Index> positions;
  for (Index i = 0; i < count; ++i) {
    const bool last = count > 1 && i == count - 1;
    const double back = last ? 1 : static_cast<double>(span) + static_cast<double>(i) * step;
    const double position = std::nearbyint(static_cast<double>(padding) - back);  // half to even
    positions.push_back(std::max<Index>(0, static_cast<Index>(position)));
  }
  return positions;
}

}  // namespace cinecortex::models::whisper
