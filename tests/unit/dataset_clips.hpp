#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <numbers>
#include <span>

#include "cinecortex/dataset/movie.hpp"
#include "dataset_support.hpp"

/// Clips for the tests of Movie, and what the ffmpeg program makes of them.
namespace cinecortex::dataset::test {

namespace fs = std::filesystem;

inline const fs::path real_clips = "/usr/share/doc/opencv-doc/examples/data";
inline const fs::path real_speech = "/usr/share/pocketsphinx/test/data/librivox";
inline constexpr int compared_frames = 300;
inline const std::string scale_flags = "flags=bicubic+accurate_rnd+full_chroma_int+bitexact";

inline std::string quoted(const fs::path& path) {
  return std::string("'").append(path.string()).append("'");
}

inline void run(const std::string& command) {
  ASSERT_EQ(std::system(command.c_str()), 0) << command;
}

inline void ffmpeg(const std::string& arguments) {
  run("ffmpeg -nostdin -v fatal -y " + arguments);
}

/// The first frames of the file as the ffmpeg program decodes it, rgb24 of this size.
inline std::string ffmpeg_frames(const TempFolder& folder, const fs::path& file, int width, int height,
                                 int count = compared_frames) {
  const auto raw = folder / "frames.raw";
  ffmpeg("-i " + quoted(file) + " -map 0:v:0 -frames:v " + std::to_string(count) +
         " -fps_mode passthrough -vf scale=" + std::to_string(width) + ":" + std::to_string(height) + ":" +
         scale_flags + " -pix_fmt rgb24 -f rawvideo " + quoted(raw));
  return read_text(raw);
}

/// The times of those frames, seconds from the video's start. One that ffprobe cannot tell comes well after
/// the last.
inline std::vector<double> ffprobe_times(const TempFolder& folder, const fs::path& file) {
  const auto list = folder / "times.txt";
  run("ffprobe -v fatal -select_streams v:0 -of default=nw=1 -show_entries " +
      std::string("stream=start_time:frame=best_effort_timestamp_time ") + quoted(file) + " > " +
      quoted(list));
  std::vector<double> times;
  double start_s = 0;
  std::ifstream stream(list);
  for (std::string line; std::getline(stream, line);) {
    const std::string value = line.substr(line.find('=') + 1);
    if (line.starts_with("start_time=") && value != "N/A") start_s = std::stod(value);
    if (line.starts_with("best_effort"))
      times.push_back(value == "N/A" ? times.back() + 0.05 : std::stod(value));
  }
  for (double& time : times) time -= start_s;
  return times;
}

inline FrameRequest request(std::vector<double> times, int width, int height,
                            PixelFormat format = PixelFormat::rgb24) {
  FrameRequest wanted;
  wanted.times_s = std::move(times);
  wanted.width = width;
  wanted.height = height;
  wanted.format = format;
  return wanted;
}

inline FrameStack frames(Movie& movie, const FrameRequest& wanted) {
  return movie.frames(std::span(&wanted, 1)).at(0);
}

/// How many of the frames differ from `expected`, frame after frame.
inline Index different_frames(const FrameStack& stack, const std::string& expected) {
  const auto bytes = static_cast<std::size_t>(stack.frame_bytes());
  EXPECT_EQ(stack.pixels.size(), expected.size());
  if (stack.pixels.size() != expected.size()) return -1;
  Index different = 0;
  for (Index i = 0; i < stack.count; ++i) {
    different +=
        std::memcmp(stack.frame(i), expected.data() + static_cast<std::size_t>(i) * bytes, bytes) != 0;
  }
  return different;
}

struct Clip {
  int width = 96, height = 64;
  double rate_hz = 24, seconds = 4, audio_rate_hz = 44100;
};

/// A moving ramp and a tone that grows: no two frames and no two sounds are alike.
inline void write_clip(const fs::path& file, const Clip& clip) {
  MovieWriter::Settings settings;
  settings.width = clip.width;
  settings.height = clip.height;
  settings.frame_rate_hz = clip.rate_hz;
  settings.audio_rate_hz = clip.audio_rate_hz;
  MovieWriter writer(file, settings);
  std::vector<std::uint8_t> picture(static_cast<std::size_t>(clip.width * clip.height * 3));
  const int count = static_cast<int>(std::lround(clip.seconds * clip.rate_hz));
  for (int i = 0; i < count; ++i) {
    for (int y = 0; y < clip.height; ++y) {
      for (int x = 0; x < clip.width; ++x) {
        const auto at = static_cast<std::size_t>((y * clip.width + x) * 3);
        picture[at] = static_cast<std::uint8_t>(x * 2 + i * 5);
        picture[at + 1] = static_cast<std::uint8_t>(y * 3 + i);
        picture[at + 2] = static_cast<std::uint8_t>(((x / 8 + y / 8 + i) % 2) * 200);
      }
    }
    writer.add_frame(picture);
  }
  if (clip.audio_rate_hz > 0) {
    std::vector<float> sound(static_cast<std::size_t>(std::lround(clip.seconds * clip.audio_rate_hz)));
    for (std::size_t i = 0; i < sound.size(); ++i) {
      const double t = static_cast<double>(i) / clip.audio_rate_hz;
      sound[i] = static_cast<float>(0.5 * t / clip.seconds * std::sin(2 * std::numbers::pi * 440 * t));
    }
    writer.add_audio(sound);
  }
  writer.finish();
}

inline double rms(std::span<const float> samples) {
  double sum = 0;
  for (const float sample : samples) sum += static_cast<double>(sample) * sample;
  return samples.empty() ? 0 : std::sqrt(sum / static_cast<double>(samples.size()));
}

inline std::vector<float> ffmpeg_sound(const TempFolder& folder, const fs::path& file,
                                       const std::string& filter) {
  const auto raw = folder / "sound.raw";
  ffmpeg("-i " + quoted(file) + " -map 0:a:0 -af " + filter + " -f f32le " + quoted(raw));
  const std::string bytes = read_text(raw);
  std::vector<float> samples(bytes.size() / sizeof(float));
  std::memcpy(samples.data(), bytes.data(), samples.size() * sizeof(float));
  return samples;
}

inline float largest_difference(std::span<const float> a, std::span<const float> b) {
  EXPECT_EQ(a.size(), b.size());
  float largest = 0;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i)
    largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

}  // namespace cinecortex::dataset::test
