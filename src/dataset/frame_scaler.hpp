#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "cinecortex/core/stimulus.hpp"
#include "ffmpeg.hpp"

namespace cinecortex::dataset::ffmpeg {

/// Converts decoded frames to the size and pixels of one request. Uses libswscale's accurate paths
/// (accurate_rnd, full_chroma_int, bitexact), which give the same bytes on every CPU. Colours follow the
/// frame's own matrix and range (BT.601, limited, where the file does not say, as the ffmpeg program does);
/// gray8 is the luma stretched to the full range 0 … 255. Pixels are taken as square. With
/// Interpolation::bicubic_pillow and bilinear_torch libswscale changes the colours only, and a resampler of ours the size.
class FrameScaler {
 public:
  explicit FrameScaler(const FrameRequest& request);
  /// @param pixels  uint8 [height, width, channels] of the request
  void convert(const AVFrame& frame, std::span<std::uint8_t> pixels);

 private:
  struct Size {
    int width = 0;
    int height = 0;
  };
  struct Source {
    int width = 0, height = 0, format = -1;
    AVColorSpace matrix = AVCOL_SPC_UNSPECIFIED;
    bool full_range = false;
    bool operator==(const Source&) const = default;
  };
  Size scaled_size(const AVFrame& frame) const;
  void prepare(const AVFrame& frame);
  void prepare_resampler(const AVFrame& frame);
  void crop(const std::uint8_t* scaled, std::ptrdiff_t stride_bytes, std::span<std::uint8_t> pixels) const;

  /// From the first row of a picture and the distance of its rows to a picture of the scaled size.
  using Resampler = std::function<void(const std::uint8_t*, std::ptrdiff_t, std::span<std::uint8_t>)>;

  FrameRequest request_;  ///< without its times
  Source source_;
  Size scaled_;
  Scaler scaler_;
  Frame target_;
  Resampler resampler_;                  ///< of the interpolations that are not libswscale's
  std::vector<std::uint8_t> resampled_;  ///< [scaled height, scaled width, channels]
};

}  // namespace cinecortex::dataset::ffmpeg
