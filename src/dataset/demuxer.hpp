#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "cinecortex/core/types.hpp"
#include "ffmpeg.hpp"

namespace cinecortex::dataset::ffmpeg {

/// A media file taken apart into packets of its best video and its best audio stream. Times are seconds from
/// the movie's start: where its video starts, or its audio if that comes first by more than an encoder's
/// delay. Every pass over a file opens a new Demuxer: rewinding is not exact in every format, opening is.
class Demuxer {
 public:
  /// @throws InputError naming the file: missing, not readable, neither picture nor sound.
  explicit Demuxer(const std::filesystem::path& file);

  const std::filesystem::path& file() const noexcept { return file_; }
  AVFormatContext* format() const noexcept { return format_.get(); }
  AVStream* video() const noexcept { return video_; }  ///< nullptr: none
  AVStream* audio() const noexcept { return audio_; }
  double frame_rate_hz() const noexcept;  ///< average; 0: unknown
  double to_seconds(const AVStream& stream, std::int64_t time_stamp) const;

  /// What the file itself says about where a stream ends.
  struct Length {
    double end_s = 0;
    bool own = false;  ///< of this stream, not of the file as a whole
  };
  /// @return end_s < 0 if the file does not say (FFmpeg's guesses do not count).
  Length declared_length(const AVStream& stream) const;

  /// Next packet of either stream; false at the end of the file.
  bool read(AVPacket& packet);
  /// Where the packets read so far end; 0 before the first.
  double reached_s(const AVStream& stream) const { return tracks_[index(stream)].reached_s; }
  /// Holes in time and failed reads so far.
  Index broken() const noexcept { return broken_; }

  /// Whether time stamps after a seek are those of a pass from the start.
  bool seeks_exactly() const;
  /// To the last key frame of the video at or before time_s. @return false: not possible.
  bool seek(double time_s);

  /// To be called when read() has said false.
  /// @throws InputError if the file ends clearly before `length` promises.
  void check_complete(const AVStream& stream, Length length) const;

 private:
  struct Close {
    void operator()(AVFormatContext* format) const { avformat_close_input(&format); }
  };
  struct Track {
    double reached_s = 0;
    double longest_gap_s = 0;
    bool started = false;
  };
  static std::size_t index(const AVStream& stream) { return static_cast<std::size_t>(stream.index); }
  AVStream* best_stream(AVMediaType type) const;
  double origin() const;
  double avi_length() const;
  void note(const AVPacket& packet);

  std::filesystem::path file_;
  std::unique_ptr<AVFormatContext, Close> format_;
  AVStream* video_ = nullptr;
  AVStream* audio_ = nullptr;
  double origin_s_ = 0;
  std::vector<Track> tracks_;
  Index broken_ = 0;
};

/// Frames of one stream of a Demuxer, in presentation order. Packets that cannot be decoded are skipped.
class Decoder {
 public:
  /// @throws InputError naming the file and the codec, if this FFmpeg cannot decode it.
  Decoder(Demuxer& demuxer, AVStream& stream, int threads);

  bool next(AVFrame& frame);  ///< false at the end
  /// Packets that could not be decoded and frames with concealed damage.
  Index broken() const noexcept { return broken_; }
  AVCodecContext& context() noexcept { return *codec_; }

 private:
  void feed();
  Demuxer* demuxer_;
  AVStream* stream_;
  Codec codec_;
  Packet packet_;
  bool draining_ = false;
  Index errors_while_draining_ = 0;
  Index broken_ = 0;
};

}  // namespace cinecortex::dataset::ffmpeg
