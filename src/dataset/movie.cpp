#include "cinecortex/dataset/movie.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "cinecortex/core/error.hpp"
#include "cinecortex/core/log.hpp"
#include "demuxer.hpp"
#include "frame_scaler.hpp"
#include "mono_resampler.hpp"

namespace cinecortex::dataset {

using ffmpeg::Decoder;
using ffmpeg::Demuxer;

namespace {

// Two times this close are the same: well under any time base, well above the rounding of seconds in double.
constexpr double kSame_time_s = 1e-6;
// Decoding this much from the start costs less than a seek that might turn out not to be exact.
constexpr double kWorth_seeking_s = 5.0;
// A time stamp this far beyond the end of the file is damage.
constexpr double kBeyond_end_s = 10.0;
// Sound that comes later than this after what was before it has a hole, which is filled with silence.
constexpr double kSound_hole_s = 0.1;

/// Frames of the video with their times, one after the other.
class VideoReader {
 public:
  VideoReader(std::unique_ptr<Demuxer> demuxer, int threads, double end_s)
      : demuxer_(std::move(demuxer)),
        decoder_(*demuxer_, *demuxer_->video(), threads),
        frame_(ffmpeg::make_frame()),
        rate_hz_(demuxer_->frame_rate_hz()),
        end_s_(end_s) {}

  bool next() {
    if (!decoder_.next(*frame_)) return false;
    time_s_ = time_of(*frame_);
    first_ = false;
    return true;
  }
  double time_s() const noexcept { return time_s_; }
  ffmpeg::Frame& frame() noexcept { return frame_; }
  Demuxer& demuxer() noexcept { return *demuxer_; }
  Index broken() const noexcept { return demuxer_->broken() + decoder_.broken(); }

 private:
  double time_of(const AVFrame& frame) const {
    const std::int64_t stamp = frame.best_effort_timestamp;
    const double stamped_s = stamp == AV_NOPTS_VALUE ? -1 : demuxer_->to_seconds(*demuxer_->video(), stamp);
    if (stamp != AV_NOPTS_VALUE && stamped_s < end_s_ + kBeyond_end_s) {
      return first_ ? stamped_s : std::max(stamped_s, time_s_);  // time never runs backwards
    }
    if (first_) return 0;
    if (rate_hz_ <= 0) {
      throw InputError(
          fmt::format("movie {}: a frame after {:.2f} s has no time stamp, and the file has no frame rate",
                      demuxer_->file().string(), time_s_));
    }
    return time_s_ + 1.0 / rate_hz_;
  }

  std::unique_ptr<Demuxer> demuxer_;
  Decoder decoder_;
  ffmpeg::Frame frame_;
  double rate_hz_;
  double end_s_;
  double time_s_ = 0;
  bool first_ = true;
};

/// One request and how far it has been answered.
class Serving {
 public:
  explicit Serving(const FrameRequest& request) : times_s_(request.times_s), scaler_(request) {
    stack_.count = static_cast<Index>(times_s_.size());
    stack_.height = request.height;
    stack_.width = request.width;
    stack_.channels = request.channels();
    stack_.pixels.resize(static_cast<std::size_t>(stack_.count * stack_.frame_bytes()));
  }
  bool done() const noexcept { return next_ == times_s_.size(); }
  double next_time_s() const noexcept { return times_s_[next_]; }

  /// Answers every time before `until_s`, when the frame after this one appears.
  void serve(const AVFrame& frame, double until_s) {
    const auto bytes = static_cast<std::size_t>(stack_.frame_bytes());
    const std::size_t first = next_;
    for (; !done() && times_s_[next_] < until_s - kSame_time_s; ++next_) {
      const auto pixels = std::span(stack_.pixels.data() + next_ * bytes, bytes);
      if (next_ == first) {
        scaler_.convert(frame, pixels);
      } else {
        std::memcpy(pixels.data(), stack_.frame(static_cast<Index>(first)), bytes);
      }
    }
  }
  FrameStack take() { return std::move(stack_); }

 private:
  std::vector<double> times_s_;
  ffmpeg::FrameScaler scaler_;
  FrameStack stack_;
  std::size_t next_ = 0;
};

void check(const FrameRequest& request) {
  if (request.height <= 0 || request.width <= 0) throw Error("internal: a frame request without a size");
  const auto& times = request.times_s;
  if (!std::is_sorted(times.begin(), times.end()) ||
      !std::all_of(times.begin(), times.end(), [](double time) { return std::isfinite(time); })) {
    throw Error("internal: the times of a frame request must be finite and ascending");
  }
}

}  // namespace

struct Movie::Impl {
  Impl(const std::filesystem::path& path, int decoder_threads) : file(path), threads(decoder_threads) {
    measure();
  }

  std::filesystem::path file;
  int threads;
  MovieInfo info;
  Demuxer::Length video_length, audio_length;
  std::unique_ptr<Demuxer> unread;  ///< the one of the constructor, for the first pass
  Index broken = 0;
  bool warned = false;

  void measure();
  std::unique_ptr<Demuxer> open();
  VideoReader start_video(double earliest_s);
  void report(Index broken_in_pass);
};

void Movie::Impl::measure() {
  unread = std::make_unique<Demuxer>(file);
  Demuxer& demuxer = *unread;
  AVStream* video = demuxer.video();
  AVStream* audio = demuxer.audio();
  if (video != nullptr) {
    video_length = demuxer.declared_length(*video);
    info.width = video->codecpar->width;
    info.height = video->codecpar->height;
    info.frame_rate_hz = demuxer.frame_rate_hz();
  }
  if (audio != nullptr) audio_length = demuxer.declared_length(*audio);
  if (video_length.end_s < 0 || audio_length.end_s < 0) {
    // The file does not say how long it is: count its packets.
    const auto packet = ffmpeg::make_packet();
    while (demuxer.read(*packet)) {
    }
    if (video != nullptr && video_length.end_s < 0) video_length = {demuxer.reached_s(*video), true};
    if (audio != nullptr && audio_length.end_s < 0) audio_length = {demuxer.reached_s(*audio), true};
    unread.reset();
  }
  info.video_s = video_length.end_s;
  info.audio_s = audio_length.end_s;
}

std::unique_ptr<Demuxer> Movie::Impl::open() {
  return unread ? std::move(unread) : std::make_unique<Demuxer>(file);
}

VideoReader Movie::Impl::start_video(double earliest_s) {
  auto demuxer = open();
  if (demuxer->video() == nullptr) {
    throw InputError(fmt::format("movie {}: there is no video stream in it", file.string()));
  }
  if (earliest_s > kWorth_seeking_s && demuxer->seeks_exactly()) {
    if (demuxer->seek(earliest_s)) {
      VideoReader reader(std::move(demuxer), threads, video_length.end_s);
      if (reader.next() && reader.time_s() <= earliest_s + kSame_time_s) return reader;
    }
    demuxer = open();
  }
  VideoReader reader(std::move(demuxer), threads, video_length.end_s);
  if (!reader.next()) {
    throw InputError(fmt::format("movie {}: not one frame of its video can be decoded", file.string()));
  }
  return reader;
}

void Movie::Impl::report(Index broken_in_pass) {
  broken += broken_in_pass;
  if (broken_in_pass == 0 || warned) return;
  warned = true;
  log::warn("movie {}: {} broken or missing packets were skipped", file.string(), broken_in_pass);
}

Movie::Movie(const std::filesystem::path& file, int threads) : impl_(std::make_unique<Impl>(file, threads)) {}
Movie::~Movie() = default;

const MovieInfo& Movie::info() const noexcept {
  return impl_->info;
}

Index Movie::broken_packets() const noexcept {
  return impl_->broken;
}

std::vector<FrameStack> Movie::frames(std::span<const FrameRequest> requests) {
  constexpr double never_s = std::numeric_limits<double>::infinity();
  std::vector<Serving> servings;
  double earliest_s = never_s;
  for (const FrameRequest& request : requests) {
    check(request);
    servings.emplace_back(request);
    if (!request.times_s.empty()) earliest_s = std::min(earliest_s, request.times_s.front());
  }
  const auto all_done = [&] {
    return std::all_of(servings.begin(), servings.end(),
                       [](const Serving& serving) { return serving.done(); });
  };
  if (!all_done()) {
    VideoReader reader = impl_->start_video(earliest_s);
    auto shown = ffmpeg::make_frame();
    while (!all_done()) {
      std::swap(shown, reader.frame());
      const bool more = reader.next();
      if (!more) {
        impl_->report(reader.broken());
        reader.demuxer().check_complete(*reader.demuxer().video(), impl_->video_length);
      }
      for (Serving& serving : servings) serving.serve(*shown, more ? reader.time_s() : never_s);
      if (more && all_done()) impl_->report(reader.broken());
    }
  }
  std::vector<FrameStack> stacks;
  for (Serving& serving : servings) stacks.push_back(serving.take());
  return stacks;
}

AudioTrack Movie::audio(double rate_hz) {
  const auto demuxer = impl_->open();
  AVStream* stream = demuxer->audio();
  if (stream == nullptr) {
    throw InputError(fmt::format("movie {}: there is no audio track in it", impl_->file.string()));
  }
  Decoder decoder(*demuxer, *stream, impl_->threads);
  ffmpeg::MonoResampler resampler(rate_hz);
  const auto frame = ffmpeg::make_frame();
  double start_s = 0;
  bool first = true;
  while (decoder.next(*frame)) {
    const std::int64_t stamp = frame->best_effort_timestamp;
    const double expected_s = start_s + resampler.fed_s();
    double time_s = stamp == AV_NOPTS_VALUE ? expected_s : demuxer->to_seconds(*stream, stamp);
    if (time_s > impl_->audio_length.end_s + kBeyond_end_s) time_s = expected_s;
    if (first) {
      start_s = time_s;
    } else if (time_s > expected_s + kSound_hole_s) {
      resampler.feed_silence(time_s - expected_s);
    }
    first = false;
    resampler.feed(*frame);
  }
  resampler.flush();
  impl_->report(demuxer->broken() + decoder.broken());
  if (first) {
    throw InputError(
        fmt::format("movie {}: nothing of its audio track can be decoded", impl_->file.string()));
  }
  demuxer->check_complete(*stream, impl_->audio_length);

  AudioTrack track;
  track.rate_hz = rate_hz;
  track.samples = std::move(resampler.samples());
  const auto offset = static_cast<std::ptrdiff_t>(std::llround(start_s * rate_hz));
  auto begin = track.samples.begin();
  if (offset > 0) track.samples.insert(begin, static_cast<std::size_t>(offset), 0.0F);
  if (offset < 0) track.samples.erase(begin, begin + std::min(-offset, std::ssize(track.samples)));
  return track;
}

}  // namespace cinecortex::dataset
