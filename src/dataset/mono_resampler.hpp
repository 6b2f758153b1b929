#pragma once
#include <vector>

#include "ffmpeg.hpp"

namespace cinecortex::dataset::ffmpeg {

/// Sound frames of any layout, rate and sample format to mono float at one rate, by libswresample with its
/// defaults (the same samples as `ffmpeg -ar`). Channels are mixed with FFmpeg's weights scaled so that the
/// sum stays in [-1, 1]: stereo becomes the mean of left and right.
class MonoResampler {
 public:
  explicit MonoResampler(double rate_hz);
  void feed(const AVFrame& frame);
  void feed_silence(double seconds);  ///< between two frames
  void flush();                       ///< what the filter still holds
  /// Seconds of sound fed so far.
  double fed_s() const noexcept { return fed_s_; }
  std::vector<float>& samples() noexcept { return samples_; }

 private:
  void prepare(const AVFrame& frame);
  void pull(const AVFrame* frame);
  int rate_hz_;
  Resampler resampler_;
  AVSampleFormat format_ = AV_SAMPLE_FMT_NONE;
  int input_rate_hz_ = 0;
  int channels_ = 0;
  double fed_s_ = 0;
  std::vector<float> samples_;
};

}  // namespace cinecortex::dataset::ffmpeg
