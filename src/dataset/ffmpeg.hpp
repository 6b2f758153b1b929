#pragma once
extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libswresample/swresample.h>
#include <libswscale/swscale.h>
}

#include <memory>
#include <string>

/// FFmpeg's C structures with owners. Private to this room.
namespace cinecortex::dataset::ffmpeg {

struct Free {
  void operator()(AVPacket* packet) const { av_packet_free(&packet); }
  void operator()(AVFrame* frame) const { av_frame_free(&frame); }
  void operator()(AVCodecContext* codec) const { avcodec_free_context(&codec); }
  void operator()(SwsContext* scaler) const { sws_freeContext(scaler); }
  void operator()(SwrContext* resampler) const { swr_free(&resampler); }
};
using Packet = std::unique_ptr<AVPacket, Free>;
using Frame = std::unique_ptr<AVFrame, Free>;
using Codec = std::unique_ptr<AVCodecContext, Free>;
using Scaler = std::unique_ptr<SwsContext, Free>;
using Resampler = std::unique_ptr<SwrContext, Free>;

Packet make_packet();  ///< @throws std::bad_alloc
Frame make_frame();    ///< @throws std::bad_alloc

/// FFmpeg's words for an error code.
std::string error_text(int code);

/// Sends FFmpeg's own messages, which it would print on stderr, to our log at level debug. Any number of
/// calls.
void route_messages();

inline double to_double(AVRational ratio) {
  return ratio.den == 0 ? 0.0 : av_q2d(ratio);
}

}  // namespace cinecortex::dataset::ffmpeg
