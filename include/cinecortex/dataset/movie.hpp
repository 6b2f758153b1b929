#pragma once
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "cinecortex/core/stimulus.hpp"

namespace cinecortex::dataset {

struct MovieInfo {
  double video_s = 0;        ///< 0: no video
  double audio_s = 0;        ///< 0: no sound; includes the silence before a track that starts late
  double frame_rate_hz = 0;  ///< average; 0: unknown
  int width = 0;
  int height = 0;
};

/// A movie or sound file through FFmpeg's libraries. Times are seconds from the movie's start: where its video
/// starts, or its sound if that comes first by more than an encoder's run-in (0.1 s). Missing time stamps are
/// counted on from the frame rate; broken packets are skipped, counted and warned about once a file.
/// Lengths are those the file promises (else its packets are counted); a file whose data end more than 2 s before is
/// refused as truncated when a pass gets there.   Not thread-safe.   Collective: no.
class Movie {
 public:
  /// @param threads  for the decoder     @throws InputError: missing, not readable, no stream.
  explicit Movie(const std::filesystem::path& file, int threads = 1);
  ~Movie();
  Movie(const Movie&) = delete;
  Movie& operator=(const Movie&) = delete;

  const MovieInfo& info() const noexcept;

  /// Serves every request from one pass over the frames (from the key frame before the earliest time, where the
  /// file can be sought exactly, else from its start). Times beyond the end give the last frame.
  /// Colours follow the file's matrix and range; gray8 is the luma stretched to 0 … 255; pixels count as square.
  /// Scaling uses libswscale's accurate paths: the same bytes on every CPU.
  /// @throws InputError if there is no video, nothing can be decoded, or the file is truncated before a time.
  std::vector<FrameStack> frames(std::span<const FrameRequest> requests);

  /// The whole sound: all channels mixed to mono (stereo: the mean), resampled to rate_hz. Holes above 0.1 s are
  /// filled with silence, so that sound stays where the pictures are.
  /// @throws InputError if there is no audio track or it is truncated (names the file).
  AudioTrack audio(double rate_hz = 16000.0);

  /// Broken packets, concealed frames and holes above 1 s, in all passes so far (each pass counts them again).
  Index broken_packets() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Writes H.264 + AAC in Matroska from frames and sound, for `synth` and tests.
class MovieWriter {
 public:
  struct Settings {
    int width = 320, height = 180;
    double frame_rate_hz = 24.0;
    double audio_rate_hz = 44100.0;  ///< 0: no sound track
    int video_bitrate_kbps = 600;
  };
  MovieWriter(const std::filesystem::path& file, const Settings& settings);  ///< .partial until finish()
  ~MovieWriter();
  void add_frame(std::span<const std::uint8_t> rgb24);  ///< height × width × 3
  void add_audio(std::span<const float> mono);
  void finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

std::string ffmpeg_version();

}  // namespace cinecortex::dataset
