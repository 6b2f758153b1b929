#include "demuxer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <new>
#include <optional>
#include <string_view>

#include "cinecortex/core/error.hpp"

namespace cinecortex::dataset::ffmpeg {

namespace {

// A stream may end this much before the file's length without being called truncated: real files' sound and
// pictures end a little apart, and 2 s is about one TR.
constexpr double kTolerated_end_gap_s = 2.0;
// No packet of any stream for this long is a hole: something was lost.
constexpr double kHole_s = 1.0;
// Sound that starts up to this long before the pictures holds an encoder's run-in (AAC in Matroska: 1024
// samples), not something to hear.
constexpr double kEncoder_delay_s = 0.1;
// Failed reads one after the other after which the rest of a file counts as unreadable.
constexpr int kFailed_reads = 100;

bool is_matroska(const AVFormatContext& format) {
  return std::string_view(format.iformat->name).find("matroska") != std::string_view::npos;
}

}  // namespace

Demuxer::Demuxer(const std::filesystem::path& file) : file_(file) {
  route_messages();
  std::error_code status;
  if (!std::filesystem::exists(file, status))
    throw InputError(fmt::format("movie {}: no such file", file.string()));
  if (std::filesystem::is_directory(file, status)) {
    throw InputError(fmt::format("movie {}: this is a folder, not a file", file.string()));
  }
  AVFormatContext* opened = nullptr;
  // "file:" keeps FFmpeg from taking a name with a colon for a protocol.
  if (const int code = avformat_open_input(&opened, ("file:" + file.string()).c_str(), nullptr, nullptr);
      code < 0) {
    throw InputError(
        fmt::format("movie {}: cannot be read ({}); it is truncated or not a movie or sound file",
                    file.string(), error_text(code)));
  }
  format_.reset(opened);
  if (const int code = avformat_find_stream_info(opened, nullptr); code < 0) {
    throw InputError(
        fmt::format("movie {}: its streams cannot be read ({})", file.string(), error_text(code)));
  }
  video_ = best_stream(AVMEDIA_TYPE_VIDEO);
  audio_ = best_stream(AVMEDIA_TYPE_AUDIO);
  if (video_ == nullptr && audio_ == nullptr) {
    throw InputError(fmt::format(
        "movie {}: there is neither picture nor sound in it; it is truncated or not a movie", file.string()));
  }
  tracks_.resize(opened->nb_streams);
  for (unsigned i = 0; i < opened->nb_streams; ++i) {
    if (opened->streams[i] != video_ && opened->streams[i] != audio_)
      opened->streams[i]->discard = AVDISCARD_ALL;
  }
  origin_s_ = origin();
}

double Demuxer::origin() const {
  const auto start = [](const AVStream* stream) -> std::optional<double> {
    if (stream == nullptr || stream->start_time == AV_NOPTS_VALUE) return std::nullopt;
    return static_cast<double>(stream->start_time) * av_q2d(stream->time_base);
  };
  const auto video_s = start(video_);
  const auto audio_s = start(audio_);
  if (!video_s || !audio_s) return video_s.value_or(audio_s.value_or(0.0));
  return *video_s <= *audio_s + kEncoder_delay_s ? *video_s : *audio_s;
}

AVStream* Demuxer::best_stream(AVMediaType type) const {
  const int found = av_find_best_stream(format_.get(), type, -1, -1, nullptr, 0);
  if (found < 0) return nullptr;
  AVStream* stream = format_->streams[found];
  // A cover picture is not a movie.
  return (stream->disposition & AV_DISPOSITION_ATTACHED_PIC) != 0 ? nullptr : stream;
}

double Demuxer::frame_rate_hz() const noexcept {
  if (video_ == nullptr) return 0;
  const double average = to_double(video_->avg_frame_rate);
  return average > 0 ? average : to_double(video_->r_frame_rate);
}

double Demuxer::to_seconds(const AVStream& stream, std::int64_t time_stamp) const {
  return static_cast<double>(time_stamp) * av_q2d(stream.time_base) - origin_s_;
}

Demuxer::Length Demuxer::declared_length(const AVStream& stream) const {
  if (format_->duration_estimation_method != AVFMT_DURATION_FROM_STREAM) return {-1, false};
  const double frames_s = avi_length();
  if (stream.duration != AV_NOPTS_VALUE && stream.duration > 0) {
    const std::int64_t start = stream.start_time == AV_NOPTS_VALUE ? 0 : stream.start_time;
    const double end_s = to_seconds(stream, start + stream.duration);
    return {&stream == video_ ? std::max(end_s, frames_s) : end_s, true};
  }
  if (format_->duration == AV_NOPTS_VALUE || format_->duration <= 0) return {-1, false};
  const double length_s = std::max(static_cast<double>(format_->duration) / AV_TIME_BASE, frames_s);
  // Matroska's Duration counts from time 0, other formats' from the first time stamp.
  return {is_matroska(*format_) ? length_s - std::max(0.0, origin_s_) : length_s, false};
}

double Demuxer::avi_length() const {
  // FFmpeg shortens the durations of a truncated AVI to the bytes that are left; its number of frames stays.
  const double rate_hz = frame_rate_hz();
  if (std::string_view(format_->iformat->name) != "avi" || video_ == nullptr || rate_hz <= 0) return 0;
  return static_cast<double>(video_->nb_frames) / rate_hz;
}

bool Demuxer::read(AVPacket& packet) {
  for (int failed = 0; failed < kFailed_reads;) {
    av_packet_unref(&packet);
    const int code = av_read_frame(format_.get(), &packet);
    if (code == AVERROR_EOF) return false;
    if (code < 0) {
      ++broken_;
      ++failed;
      if (code == AVERROR(ENOMEM)) throw std::bad_alloc();
      continue;
    }
    const AVStream* stream = format_->streams[packet.stream_index];
    if (stream != video_ && stream != audio_) continue;
    note(packet);
    return true;
  }
  return false;
}

void Demuxer::note(const AVPacket& packet) {
  const AVStream& stream = *format_->streams[packet.stream_index];
  Track& track = tracks_[index(stream)];
  const std::int64_t stamp = packet.pts != AV_NOPTS_VALUE ? packet.pts : packet.dts;
  const double begin_s = stamp == AV_NOPTS_VALUE ? track.reached_s : to_seconds(stream, stamp);
  const double length_s = static_cast<double>(packet.duration) * av_q2d(stream.time_base);

  bool started = false;
  double everything_s = 0;
  for (const Track& other : tracks_) {
    started = started || other.started;
    everything_s = std::max(everything_s, other.reached_s);
  }
  if (started && begin_s > everything_s + kHole_s) ++broken_;
  if (track.started) track.longest_gap_s = std::max(track.longest_gap_s, begin_s - track.reached_s);
  track.started = true;
  track.reached_s = std::max(track.reached_s, begin_s + length_s);
}

bool Demuxer::seeks_exactly() const {
  // AVI and the like store no presentation times: what FFmpeg makes up depends on where it began.
  return is_matroska(*format_) ||
         std::string_view(format_->iformat->name).find("mp4") != std::string_view::npos;
}

bool Demuxer::seek(double time_s) {
  if (video_ == nullptr) return false;
  const auto target = static_cast<std::int64_t>((time_s + origin_s_) / av_q2d(video_->time_base));
  return avformat_seek_file(format_.get(), video_->index, INT64_MIN, target, target, 0) >= 0;
}

void Demuxer::check_complete(const AVStream& stream, Length length) const {
  const Track& own = tracks_[index(stream)];
  double reached_s = own.reached_s;
  if (!length.own) {
    for (const Track& track : tracks_) reached_s = std::max(reached_s, track.reached_s);
  }
  // The last picture of a file with few pictures stands as long as the others did.
  const double tolerated_s = std::max(kTolerated_end_gap_s, own.longest_gap_s + 1.0);
  if (reached_s + tolerated_s < length.end_s) {
    throw InputError(fmt::format("movie {} is truncated: it promises {:.2f} s, but its {} ends at {:.2f} s",
                                 file_.string(), length.end_s, length.own ? "stream" : "data", reached_s));
  }
}

Decoder::Decoder(Demuxer& demuxer, AVStream& stream, int threads)
    : demuxer_(&demuxer), stream_(&stream), packet_(make_packet()) {
  const AVCodec* decoder = avcodec_find_decoder(stream.codecpar->codec_id);
  const auto refuse = [&](const std::string& why) {
    return InputError(fmt::format("movie {}: the {} stream (codec {}) cannot be decoded: {}",
                                  demuxer.file().string(),
                                  av_get_media_type_string(stream.codecpar->codec_type),
                                  avcodec_get_name(stream.codecpar->codec_id), why));
  };
  if (decoder == nullptr) throw refuse("this FFmpeg has no decoder for it");
  codec_.reset(avcodec_alloc_context3(decoder));
  if (!codec_) throw std::bad_alloc();
  if (const int code = avcodec_parameters_to_context(codec_.get(), stream.codecpar); code < 0) {
    throw refuse(error_text(code));
  }
  codec_->pkt_timebase = stream.time_base;
  codec_->framerate = stream.avg_frame_rate;
  codec_->thread_count = std::max(1, threads);
  if (const int code = avcodec_open2(codec_.get(), decoder, nullptr); code < 0)
    throw refuse(error_text(code));
}

bool Decoder::next(AVFrame& frame) {
  // A decoder in trouble reports each bad packet once; this bounds one that would report for ever at the end.
  constexpr Index kErrors_at_end = 1000;
  while (errors_while_draining_ < kErrors_at_end) {
    const int code = avcodec_receive_frame(codec_.get(), &frame);
    if (code == 0) {
      if (frame.decode_error_flags != 0) ++broken_;
      return true;
    }
    if (code == AVERROR_EOF) return false;
    if (code == AVERROR(ENOMEM)) throw std::bad_alloc();
    if (code == AVERROR(EAGAIN)) {
      feed();
    } else {
      ++broken_;
      if (draining_) ++errors_while_draining_;
    }
  }
  return false;
}

void Decoder::feed() {
  while (demuxer_->read(*packet_)) {
    if (packet_->stream_index != stream_->index) continue;
    const int code = avcodec_send_packet(codec_.get(), packet_.get());
    if (code == AVERROR(ENOMEM)) throw std::bad_alloc();
    if (code < 0) {
      ++broken_;
      continue;
    }
    return;
  }
  draining_ = true;
  avcodec_send_packet(codec_.get(), nullptr);
}

}  // namespace cinecortex::dataset::ffmpeg
