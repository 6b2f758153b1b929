#include "mono_resampler.hpp"

extern "C" {
#include <libavutil/channel_layout.h>
#include <libavutil/opt.h>
}

#include <cmath>
#include <new>

#include "cinecortex/core/error.hpp"

namespace cinecortex::dataset::ffmpeg {

namespace {

void check(int code, const char* step) {
  if (code < 0)
    throw InputError(std::string("the sound cannot be resampled (") + step + ": " + error_text(code) + ")");
}

}  // namespace

MonoResampler::MonoResampler(double rate_hz) : rate_hz_(static_cast<int>(std::lround(rate_hz))) {}

void MonoResampler::prepare(const AVFrame& frame) {
  const auto format = static_cast<AVSampleFormat>(frame.format);
  if (resampler_ && format == format_ && frame.sample_rate == input_rate_hz_ &&
      frame.ch_layout.nb_channels == channels_) {
    return;
  }
  flush();  // what came before with other parameters
  format_ = format;
  input_rate_hz_ = frame.sample_rate;
  channels_ = frame.ch_layout.nb_channels;
  AVChannelLayout from{};
  if (frame.ch_layout.order == AV_CHANNEL_ORDER_UNSPEC) {
    av_channel_layout_default(&from, channels_);
  } else {
    check(av_channel_layout_copy(&from, &frame.ch_layout), "channel layout");
  }
  AVChannelLayout mono = AV_CHANNEL_LAYOUT_MONO;
  SwrContext* created = nullptr;
  const int code = swr_alloc_set_opts2(&created, &mono, AV_SAMPLE_FMT_FLT, rate_hz_, &from, format_,
                                       input_rate_hz_, 0, nullptr);
  av_channel_layout_uninit(&from);
  check(code, "options");
  resampler_.reset(created);
  check(av_opt_set_double(created, "rematrix_maxval", 1.0, 0), "mixing");
  check(swr_init(created), "start");
}

void MonoResampler::pull(const AVFrame* frame) {
  const int fed = frame == nullptr ? 0 : frame->nb_samples;
  const int room = swr_get_out_samples(resampler_.get(), fed);
  check(room, "size");
  const std::size_t before = samples_.size();
  samples_.resize(before + static_cast<std::size_t>(room));
  auto* target = reinterpret_cast<std::uint8_t*>(samples_.data() + before);
  const auto** source = frame == nullptr ? nullptr : const_cast<const std::uint8_t**>(frame->extended_data);
  const int got = swr_convert(resampler_.get(), &target, room, source, fed);
  check(got, "conversion");
  samples_.resize(before + static_cast<std::size_t>(got));
}

void MonoResampler::feed(const AVFrame& frame) {
  prepare(frame);
  pull(&frame);
  fed_s_ += static_cast<double>(frame.nb_samples) / frame.sample_rate;
}

void MonoResampler::feed_silence(double seconds) {
  const auto count = static_cast<int>(std::llround(seconds * input_rate_hz_));
  check(swr_inject_silence(resampler_.get(), count), "silence");
  fed_s_ += static_cast<double>(count) / input_rate_hz_;
}

void MonoResampler::flush() {
  if (!resampler_) return;
  pull(nullptr);
  resampler_.reset();
}

}  // namespace cinecortex::dataset::ffmpeg
