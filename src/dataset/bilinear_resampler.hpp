#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "cinecortex/core/types.hpp"

namespace cinecortex::dataset {

/// Bilinear resize of 8-bit pictures as torch's `interpolate(mode="bilinear", align_corners=False)` does it, rounded to
/// whole values: each value from the two neighbours each way, also where a picture shrinks (so that it may alias).
class BilinearResampler {
 public:
  struct Size {
    int height = 0, width = 0;
  };

  /// @pre all sizes and channels are at least 1
  BilinearResampler(Size from, Size to, int channels);

  /// @param source        the first row; rows of from.width × channels values
  /// @param stride_bytes  from one row to the next
  /// @param target        [to.height, to.width, channels]
  /// Collective: no.
  void operator()(const std::uint8_t* source, std::ptrdiff_t stride_bytes,
                  std::span<std::uint8_t> target) const;

 private:
  /// Of one target position: two source positions, and the weight of the second.
  struct Taps {
    std::ptrdiff_t first, second;
    float weight;
  };
  static std::vector<Taps> taps(int from, int to);

  int channels_;
  std::vector<Taps> rows_, columns_;
};

}  // namespace cinecortex::dataset
