#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "cinecortex/core/types.hpp"

/// What a movie run offers to a feature space. `dataset` produces these, `models` consumes them.
namespace cinecortex {

enum class PixelFormat { gray8, rgb24 };
enum class FrameFit {
  stretch,                 ///< scale to height × width, aspect ratio not kept
  short_side_centre_crop,  ///< short side to min(height, width), then the centre
};
enum class Interpolation {
  area,
  bilinear,
  bicubic,
  bicubic_pillow,  ///< the picture as RGB (or gray) at its own size, then resized as Pillow does
  bilinear_torch,  ///< the picture as RGB (or gray) at its own size, then resized as torch does, without smoothing
};

/// Frames wanted from a movie, by presentation time: the frame shown at `times_s[i]`, which is the last
/// one whose time stamp is ≤ it (the first frame, if the movie starts later).
struct FrameRequest {
  std::vector<double> times_s;  ///< ascending; seconds from the movie's start
  int height = 0;
  int width = 0;
  PixelFormat format = PixelFormat::rgb24;
  FrameFit fit = FrameFit::stretch;
  Interpolation interpolation = Interpolation::bicubic;
  int channels() const noexcept { return format == PixelFormat::gray8 ? 1 : 3; }
};

/// The answer to a FrameRequest: uint8 [count, height, width, channels].
struct FrameStack {
  Index count = 0;
  int height = 0;
  int width = 0;
  int channels = 0;
  std::vector<std::uint8_t> pixels;
  Index frame_bytes() const noexcept { return Index{height} * width * channels; }
  const std::uint8_t* frame(Index i) const noexcept { return pixels.data() + i * frame_bytes(); }
};

/// Mono sound of a whole run; sample 0 is at movie time 0 (silence is put before a track that starts late).
struct AudioTrack {
  std::vector<float> samples;  ///< in [-1, 1]
  double rate_hz = 16000.0;
};

/// One TR of a transcript. Onsets are seconds from the run's start.
struct TranscriptRow {
  std::string text;
  std::vector<std::string> words;
  std::vector<double> onsets_s;
  std::vector<double> durations_s;
};
using Transcript = std::vector<TranscriptRow>;

}  // namespace cinecortex
