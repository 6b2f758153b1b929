#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <new>
#include <vector>

#include "cinecortex/core/error.hpp"
#include "cinecortex/dataset/movie.hpp"
#include "ffmpeg.hpp"

extern "C" {
#include <libavutil/channel_layout.h>
#include <libavutil/opt.h>
}

namespace cinecortex::dataset {

namespace {

constexpr double kKey_frame_interval_s = 2.0;
constexpr std::int64_t kAudio_bit_rate = 96000;

struct Close {
  void operator()(AVFormatContext* format) const {
    if (format == nullptr) return;
    avio_closep(&format->pb);
    avformat_free_context(format);
  }
};

}  // namespace

struct MovieWriter::Impl {
  Impl(const std::filesystem::path& path, const Settings& wanted);

  void check(int code, const char* step) const;
  const AVCodec& encoder(const char* name) const;
  void open_video();
  void open_audio();
  AVStream* open_stream(AVCodecContext& codec);
  void encode(AVCodecContext& codec, AVStream& stream, const AVFrame* frame);
  void encode_audio(std::span<const float> samples);

  std::filesystem::path file, partial;
  Settings settings;
  std::unique_ptr<AVFormatContext, Close> format;
  ffmpeg::Codec video, audio;
  AVStream* video_stream = nullptr;
  AVStream* audio_stream = nullptr;
  ffmpeg::Scaler to_yuv;
  ffmpeg::Frame picture = ffmpeg::make_frame();
  ffmpeg::Frame sound = ffmpeg::make_frame();
  ffmpeg::Packet packet = ffmpeg::make_packet();
  std::vector<float> waiting;  ///< sound that does not fill a frame yet
  std::int64_t frames_written = 0;
  std::int64_t samples_written = 0;
};

void MovieWriter::Impl::check(int code, const char* step) const {
  if (code < 0) {
    throw InputError(
        fmt::format("movie {} cannot be written ({}: {})", file.string(), step, ffmpeg::error_text(code)));
  }
}

const AVCodec& MovieWriter::Impl::encoder(const char* name) const {
  const AVCodec* found = avcodec_find_encoder_by_name(name);
  if (found == nullptr) {
    throw InputError(fmt::format("movie {} cannot be written: this FFmpeg was built without the encoder {}",
                                 file.string(), name));
  }
  return *found;
}

MovieWriter::Impl::Impl(const std::filesystem::path& path, const Settings& wanted)
    : file(path), partial(path.string() + ".partial"), settings(wanted) {
  ffmpeg::route_messages();
  if (settings.width <= 0 || settings.height <= 0 || settings.width % 2 != 0 || settings.height % 2 != 0) {
    throw InputError(
        fmt::format("movie {}: a size of {} × {} is not possible, H.264 wants even numbers above 0",
                    file.string(), settings.width, settings.height));
  }
  if (settings.frame_rate_hz <= 0 || settings.audio_rate_hz < 0) {
    throw InputError(fmt::format("movie {}: rates must be above 0 (frames {} Hz, sound {} Hz)", file.string(),
                                 settings.frame_rate_hz, settings.audio_rate_hz));
  }
  AVFormatContext* created = nullptr;
  check(avformat_alloc_output_context2(&created, nullptr, "matroska", partial.c_str()), "container");
  format.reset(created);
  // The same input gives the same file: no random identifiers, no date.
  format->flags |= AVFMT_FLAG_BITEXACT;
  // Frames and sound may be added in any order: wait for both however long it takes.
  format->max_interleave_delta = 0;
  open_video();
  if (settings.audio_rate_hz > 0) open_audio();
  check(avio_open(&format->pb, ("file:" + partial.string()).c_str(), AVIO_FLAG_WRITE), "open");
  check(avformat_write_header(format.get(), nullptr), "header");
}

void MovieWriter::Impl::open_video() {
  const AVCodec& h264 = encoder("libx264");
  video.reset(avcodec_alloc_context3(&h264));
  if (!video) throw std::bad_alloc();
  video->width = settings.width;
  video->height = settings.height;
  video->pix_fmt = AV_PIX_FMT_YUV420P;
  video->framerate = av_d2q(settings.frame_rate_hz, 1001000);
  video->time_base = av_inv_q(video->framerate);
  video->bit_rate = std::int64_t{settings.video_bitrate_kbps} * 1000;
  video->gop_size = std::max(1, static_cast<int>(kKey_frame_interval_s * settings.frame_rate_hz));
  // x264's output depends on its number of threads.
  video->thread_count = 1;
  av_opt_set(video->priv_data, "preset", "ultrafast", 0);
  video_stream = open_stream(*video);
  video_stream->avg_frame_rate = video->framerate;

  picture->format = AV_PIX_FMT_YUV420P;
  picture->width = settings.width;
  picture->height = settings.height;
  check(av_frame_get_buffer(picture.get(), 0), "picture");
  to_yuv.reset(sws_getContext(settings.width, settings.height, AV_PIX_FMT_RGB24, settings.width,
                              settings.height, AV_PIX_FMT_YUV420P,
                              SWS_BICUBIC | SWS_ACCURATE_RND | SWS_BITEXACT, nullptr, nullptr, nullptr));
  if (!to_yuv) throw Error("internal: libswscale cannot convert rgb24 to yuv420p");
}

void MovieWriter::Impl::open_audio() {
  const AVCodec& aac = encoder("aac");
  audio.reset(avcodec_alloc_context3(&aac));
  if (!audio) throw std::bad_alloc();
  audio->sample_rate = static_cast<int>(std::lround(settings.audio_rate_hz));
  audio->sample_fmt = AV_SAMPLE_FMT_FLTP;
  audio->ch_layout = AV_CHANNEL_LAYOUT_MONO;
  audio->bit_rate = kAudio_bit_rate;
  audio->time_base = {1, audio->sample_rate};
  audio->thread_count = 1;
  audio_stream = open_stream(*audio);
}

AVStream* MovieWriter::Impl::open_stream(AVCodecContext& codec) {
  codec.flags |= AV_CODEC_FLAG_BITEXACT;
  if ((format->oformat->flags & AVFMT_GLOBALHEADER) != 0) codec.flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
  check(avcodec_open2(&codec, codec.codec, nullptr), codec.codec->name);
  AVStream* stream = avformat_new_stream(format.get(), nullptr);
  if (stream == nullptr) throw std::bad_alloc();
  stream->time_base = codec.time_base;
  check(avcodec_parameters_from_context(stream->codecpar, &codec), "stream");
  return stream;
}

void MovieWriter::Impl::encode(AVCodecContext& codec, AVStream& stream, const AVFrame* frame) {
  check(avcodec_send_frame(&codec, frame), "encode");
  for (;;) {
    const int code = avcodec_receive_packet(&codec, packet.get());
    if (code == AVERROR(EAGAIN) || code == AVERROR_EOF) return;
    check(code, "encode");
    if (packet->duration == 0 && &stream == video_stream) packet->duration = 1;
    av_packet_rescale_ts(packet.get(), codec.time_base, stream.time_base);
    packet->stream_index = stream.index;
    check(av_interleaved_write_frame(format.get(), packet.get()), "write");
  }
}

void MovieWriter::Impl::encode_audio(std::span<const float> samples) {
  av_frame_unref(sound.get());
  sound->format = AV_SAMPLE_FMT_FLTP;
  sound->nb_samples = checked_cast<int>(samples.size());
  sound->sample_rate = audio->sample_rate;
  sound->ch_layout = AV_CHANNEL_LAYOUT_MONO;
  sound->pts = samples_written;
  check(av_frame_get_buffer(sound.get(), 0), "sound");
  std::copy(samples.begin(), samples.end(), reinterpret_cast<float*>(sound->data[0]));
  samples_written += std::ssize(samples);
  encode(*audio, *audio_stream, sound.get());
}

MovieWriter::MovieWriter(const std::filesystem::path& file, const Settings& settings)
    : impl_(std::make_unique<Impl>(file, settings)) {}
MovieWriter::~MovieWriter() = default;

void MovieWriter::add_frame(std::span<const std::uint8_t> rgb24) {
  Impl& self = *impl_;
  const auto expected =
      static_cast<std::size_t>(self.settings.width) * static_cast<std::size_t>(self.settings.height) * 3;
  if (rgb24.size() != expected) throw Error("internal: a frame of another size than the movie's");
  self.check(av_frame_make_writable(self.picture.get()), "picture");
  const std::uint8_t* const source[] = {rgb24.data()};
  const int stride[] = {self.settings.width * 3};
  sws_scale(self.to_yuv.get(), source, stride, 0, self.settings.height, self.picture->data,
            self.picture->linesize);
  self.picture->pts = self.frames_written++;
  self.encode(*self.video, *self.video_stream, self.picture.get());
}

void MovieWriter::add_audio(std::span<const float> mono) {
  Impl& self = *impl_;
  if (!self.audio) throw Error("internal: sound for a movie without a sound track");
  self.waiting.insert(self.waiting.end(), mono.begin(), mono.end());
  const auto frame_samples = static_cast<std::size_t>(self.audio->frame_size);
  std::size_t used = 0;
  for (; used + frame_samples <= self.waiting.size(); used += frame_samples) {
    self.encode_audio(std::span(self.waiting).subspan(used, frame_samples));
  }
  self.waiting.erase(self.waiting.begin(), self.waiting.begin() + static_cast<std::ptrdiff_t>(used));
}

void MovieWriter::finish() {
  Impl& self = *impl_;
  self.encode(*self.video, *self.video_stream, nullptr);
  if (self.audio) {
    if (!self.waiting.empty()) self.encode_audio(self.waiting);
    self.encode(*self.audio, *self.audio_stream, nullptr);
  }
  self.check(av_write_trailer(self.format.get()), "trailer");
  self.check(avio_closep(&self.format->pb), "close");
  std::error_code status;
  std::filesystem::rename(self.partial, self.file, status);
  if (status) {
    throw InputError(fmt::format("movie {} cannot be written ({})", self.file.string(), status.message()));
  }
}

}  // namespace cinecortex::dataset
