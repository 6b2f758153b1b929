#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "cinecortex/core/types.hpp"

namespace cinecortex::dataset {

/// Pillow's bicubic resize of 8-bit pictures, to the bit: the cubic with a = −0.5, stretched by the scale where
/// a picture shrinks (so that it does not alias); along rows first, then along columns, with weights of 22
/// bits and whole values in between. It is what torchvision's Resize does to a Pillow image.
class BicubicResampler {
 public:
  struct Size {
    int height = 0, width = 0;
    bool operator==(const Size&) const = default;
  };

  /// @pre all sizes and channels are at least 1
  BicubicResampler(Size from, Size to, int channels);

  /// @param source        the first row; rows of from.width × channels values
  /// @param stride_bytes  from one row to the next
  /// @param target        [to.height, to.width, channels]
  /// Collective: no.
  void operator()(const std::uint8_t* source, std::ptrdiff_t stride_bytes, std::span<std::uint8_t> target);

 private:
  /// Of each target position: the first source position and its weights, `taps` of them, zeros behind.
  struct Weights {
    int taps = 0;
    std::vector<int> first;
    std::vector<std::int32_t> values;
  };
  static Weights weights(int from, int to);
  void resample_row(const std::uint8_t* source, std::uint8_t* target) const;
  void resample_columns(int row, std::uint8_t* target);

  Size from_, to_;
  int channels_;
  Weights along_row_, along_column_;
  std::vector<std::uint8_t> rows_;  ///< [from.height, to.width, channels]
  std::vector<std::int32_t> sums_;  ///< of one target row
};

}  // namespace cinecortex::dataset
