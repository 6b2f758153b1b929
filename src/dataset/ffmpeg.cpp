#include "ffmpeg.hpp"

#include <array>
#include <mutex>
#include <new>
#include <string_view>

#include "cinecortex/core/log.hpp"
#include "cinecortex/dataset/movie.hpp"

namespace cinecortex::dataset {

namespace ffmpeg {

Packet make_packet() {
  Packet packet(av_packet_alloc());
  if (!packet) throw std::bad_alloc();
  return packet;
}

Frame make_frame() {
  Frame frame(av_frame_alloc());
  if (!frame) throw std::bad_alloc();
  return frame;
}

std::string error_text(int code) {
  std::array<char, AV_ERROR_MAX_STRING_SIZE> text{};
  av_strerror(code, text.data(), text.size());
  return text.data();
}

namespace {

void to_debug_log(void* context, int level, const char* format, va_list arguments) {
  if (level > AV_LOG_WARNING) return;
  std::array<char, 1024> line{};
  int prefix = 1;
  av_log_format_line2(context, level, format, arguments, line.data(), static_cast<int>(line.size()), &prefix);
  std::string_view text = line.data();
  while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  log::debug("FFmpeg: {}", text);
}

}  // namespace

void route_messages() {
  static std::once_flag once;
  std::call_once(once, [] { av_log_set_callback(to_debug_log); });
}

}  // namespace ffmpeg

std::string ffmpeg_version() {
  return av_version_info();
}

}  // namespace cinecortex::dataset
