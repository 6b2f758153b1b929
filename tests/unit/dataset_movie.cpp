// Frames and sound against what the ffmpeg program makes of the same files: clips of our own writer, real
// clips (Debian's opencv-doc), real speech (pocketsphinx-testdata), and files that are odd or damaged on
// purpose.
#include "cinecortex/dataset/movie.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstring>
#include <numbers>

#include "dataset_support.hpp"

namespace cinecortex::dataset {
namespace {

using test::expect_contains;
using test::input_error;
using test::TempFolder;
namespace fs = std::filesystem;

const fs::path real_clips = "/usr/share/doc/opencv-doc/examples/data";
const fs::path real_speech = "/usr/share/pocketsphinx/test/data/librivox";
constexpr int compared_frames = 300;
const std::string scale_flags = "flags=bicubic+accurate_rnd+full_chroma_int+bitexact";

std::string quoted(const fs::path& path) {
  return std::string("'").append(path.string()).append("'");
}

void run(const std::string& command) {
  ASSERT_EQ(std::system(command.c_str()), 0) << command;
}

void ffmpeg(const std::string& arguments) {
  run("ffmpeg -nostdin -v fatal -y " + arguments);
}

/// The first frames of the file as the ffmpeg program decodes it, rgb24 of this size.
std::string ffmpeg_frames(const TempFolder& folder, const fs::path& file, int width, int height,
                          int count = compared_frames) {
  const auto raw = folder / "frames.raw";
  ffmpeg("-i " + quoted(file) + " -map 0:v:0 -frames:v " + std::to_string(count) +
         " -fps_mode passthrough -vf scale=" + std::to_string(width) + ":" + std::to_string(height) + ":" +
         scale_flags + " -pix_fmt rgb24 -f rawvideo " + quoted(raw));
  return test::read_text(raw);
}

/// The times of those frames, seconds from the video's start. One that ffprobe cannot tell comes well after
/// the last.
std::vector<double> ffprobe_times(const TempFolder& folder, const fs::path& file) {
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

FrameRequest request(std::vector<double> times, int width, int height,
                     PixelFormat format = PixelFormat::rgb24) {
  FrameRequest wanted;
  wanted.times_s = std::move(times);
  wanted.width = width;
  wanted.height = height;
  wanted.format = format;
  return wanted;
}

FrameStack frames(Movie& movie, const FrameRequest& wanted) {
  return movie.frames(std::span(&wanted, 1)).at(0);
}

/// How many of the frames differ from `expected`, frame after frame.
Index different_frames(const FrameStack& stack, const std::string& expected) {
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
void write_clip(const fs::path& file, const Clip& clip) {
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

double rms(std::span<const float> samples) {
  double sum = 0;
  for (const float sample : samples) sum += static_cast<double>(sample) * sample;
  return samples.empty() ? 0 : std::sqrt(sum / static_cast<double>(samples.size()));
}

std::vector<float> ffmpeg_sound(const TempFolder& folder, const fs::path& file, const std::string& filter) {
  const auto raw = folder / "sound.raw";
  ffmpeg("-i " + quoted(file) + " -map 0:a:0 -af " + filter + " -f f32le " + quoted(raw));
  const std::string bytes = test::read_text(raw);
  std::vector<float> samples(bytes.size() / sizeof(float));
  std::memcpy(samples.data(), bytes.data(), samples.size() * sizeof(float));
  return samples;
}

float largest_difference(std::span<const float> a, std::span<const float> b) {
  EXPECT_EQ(a.size(), b.size());
  float largest = 0;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i)
    largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

// ---- frames
// -------------------------------------------------------------------------------------------------------

TEST(Movie, TellsWhatTheFileHolds) {
  const TempFolder folder;
  write_clip(folder / "clip.mkv", {});
  const Movie movie(folder / "clip.mkv");
  EXPECT_NEAR(movie.info().video_s, 4.0, 0.06);
  EXPECT_NEAR(movie.info().audio_s, 4.0, 0.06);
  EXPECT_NEAR(movie.info().frame_rate_hz, 24.0, 0.01);
  EXPECT_EQ(movie.info().width, 96);
  EXPECT_EQ(movie.info().height, 64);
  EXPECT_FALSE(fs::exists(folder / "clip.mkv.partial"));
}

class EveryFrame : public ::testing::TestWithParam<const char*> {};

TEST_P(EveryFrame, OfARealClipEqualsWhatFfmpegDecodes) {
  const TempFolder folder;
  const auto file = real_clips / GetParam();
  ASSERT_TRUE(fs::exists(file)) << file << ": install the package opencv-doc";
  auto times = ffprobe_times(folder, file);
  ASSERT_GT(times.size(), 60U);
  times.resize(std::min<std::size_t>(times.size(), compared_frames));
  Movie movie(file);
  EXPECT_EQ(different_frames(frames(movie, request(times, 160, 120)), ffmpeg_frames(folder, file, 160, 120)),
            0);
}
INSTANTIATE_TEST_SUITE_P(OpenCv, EveryFrame,
                         ::testing::Values("Megamind.avi", "Megamind_bugy.avi", "vtest.avi", "tree.avi"),
                         [](const auto& test) {
                           std::string name = test.param;
                           std::replace(name.begin(), name.end(), '.', '_');
                           return name;
                         });

TEST(Movie, NativeSizeAndThreadsGiveTheSameFrames) {
  const TempFolder folder;
  write_clip(folder / "clip.mkv", {});
  const auto times = ffprobe_times(folder, folder / "clip.mkv");
  ASSERT_EQ(times.size(), 96U);
  const auto expected = ffmpeg_frames(folder, folder / "clip.mkv", 96, 64);
  for (const int threads : {1, 3}) {
    Movie movie(folder / "clip.mkv", threads);
    EXPECT_EQ(different_frames(frames(movie, request(times, 96, 64)), expected), 0);
    EXPECT_EQ(movie.broken_packets(), 0);
  }
}

TEST(Movie, AFrameIsShownUntilTheNextOneComes) {
  const TempFolder folder;
  write_clip(folder / "clip.mkv", {.rate_hz = 10});
  Movie movie(folder / "clip.mkv");
  const auto every = frames(movie, request({0.0, 0.1, 0.2, 0.3}, 96, 64));
  const auto between = frames(movie, request({-1.0, 0.0999, 0.1001, 0.25, 0.25, 0.2999}, 96, 64));
  const Index shown[] = {0, 0, 1, 2, 2, 2};
  for (Index i = 0; i < between.count; ++i) {
    EXPECT_EQ(std::memcmp(between.frame(i), every.frame(shown[i]), 96 * 64 * 3), 0) << i;
  }
  const auto last = frames(movie, request({3.9, 3.99, 4.5}, 96, 64));
  EXPECT_EQ(std::memcmp(last.frame(0), last.frame(2), 96 * 64 * 3), 0);
}

TEST(Movie, ChunksEqualOnePass) {
  const TempFolder folder;
  write_clip(folder / "clip.mkv", {.rate_hz = 25, .seconds = 24});
  ffmpeg("-i " + quoted(folder / "clip.mkv") + " -c copy " + quoted(folder / "clip.mp4"));
  ffmpeg("-i " + quoted(folder / "clip.mkv") + " -c:v mpeg4 -bf 2 -c:a ac3 " + quoted(folder / "clip.avi"));
  for (const std::string name : {"clip.mkv", "clip.mp4", "clip.avi"}) {
    std::vector<double> times;
    for (int i = 0; i < 160; ++i) times.push_back(0.07 + i * 0.149);
    Movie whole(folder / name);
    const auto expected = frames(whole, request(times, 48, 32));
    for (std::size_t begin = 0; begin < times.size(); begin += 37) {
      const std::size_t count = std::min<std::size_t>(37, times.size() - begin);
      Movie movie(folder / name);
      const auto part = frames(movie, request({times.begin() + static_cast<std::ptrdiff_t>(begin),
                                               times.begin() + static_cast<std::ptrdiff_t>(begin + count)},
                                              48, 32));
      for (std::size_t i = 0; i < count; ++i) {
        EXPECT_EQ(
            std::memcmp(part.frame(static_cast<Index>(i)), expected.frame(static_cast<Index>(begin + i)),
                        static_cast<std::size_t>(part.frame_bytes())),
            0)
            << name << " " << times[begin + i];
      }
    }
  }
}

TEST(Movie, OnePassServesRequestsOfDifferentTimesAndSizes) {
  const TempFolder folder;
  write_clip(folder / "clip.mkv", {});
  Movie movie(folder / "clip.mkv");
  auto cropped = request({0.5, 1.5, 2.5}, 32, 32);
  cropped.fit = FrameFit::short_side_centre_crop;
  const std::vector<FrameRequest> requests{request({0.1, 3.0}, 96, 64), request({}, 10, 10), cropped,
                                           request({2.0}, 48, 32, PixelFormat::gray8)};
  const auto together = movie.frames(requests);
  ASSERT_EQ(together.size(), 4U);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const auto alone = movie.frames(std::span(&requests[i], 1)).at(0);
    EXPECT_EQ(together[i].count, static_cast<Index>(requests[i].times_s.size()));
    EXPECT_EQ(together[i].pixels, alone.pixels) << i;
  }
  EXPECT_EQ(together[3].channels, 1);
}

TEST(Movie, CropsTheCentreOfTheShortSide) {
  const TempFolder folder;
  write_clip(folder / "clip.mkv", {.width = 98, .height = 64});
  Movie movie(folder / "clip.mkv");
  auto cropped = request({1.0}, 64, 64);
  cropped.fit = FrameFit::short_side_centre_crop;
  const auto part = frames(movie, cropped);
  const auto whole = frames(movie, request({1.0}, 98, 64));
  for (int row = 0; row < 64; ++row) {
    ASSERT_EQ(std::memcmp(part.frame(0) + row * 64 * 3, whole.frame(0) + (row * 98 + 17) * 3, 64 * 3), 0)
        << row;
  }
}

TEST(Movie, GrayIsTheLumaOfTheFullRange) {
  const TempFolder folder;
  ffmpeg("-f lavfi -i testsrc2=s=64x48:r=5:d=2 -pix_fmt yuv420p -c:v ffv1 " + quoted(folder / "clip.mkv"));
  ffmpeg("-i " + quoted(folder / "clip.mkv") + " -fps_mode passthrough -pix_fmt yuv420p -f rawvideo " +
         quoted(folder / "yuv.raw"));
  const std::string yuv = test::read_text(folder / "yuv.raw");
  const std::size_t planes = 64 * 48 * 3 / 2;
  ASSERT_EQ(yuv.size(), planes * 10);
  Movie movie(folder / "clip.mkv");
  const auto gray =
      frames(movie, request({0, 0.2, 0.4, 0.6, 0.8, 1, 1.2, 1.4, 1.6, 1.8}, 64, 48, PixelFormat::gray8));
  double largest = 0;
  for (std::size_t i = 0; i < 10; ++i) {
    for (std::size_t pixel = 0; pixel < 64 * 48; ++pixel) {
      const double luma = static_cast<std::uint8_t>(yuv[i * planes + pixel]);
      const double full = std::clamp((luma - 16) * 255 / 219, 0.0, 255.0);
      largest = std::max(largest, std::abs(full - gray.frame(static_cast<Index>(i))[pixel]));
    }
  }
  EXPECT_LE(largest, 1.0);
}

TEST(Movie, ColoursFollowTheMatrixTheFileNames) {
  const TempFolder folder;
  ffmpeg(
      "-f lavfi -i smptebars=s=64x48:r=5:d=1 -vf scale=out_color_matrix=bt709 -colorspace bt709 -pix_fmt "
      "yuv420p "
      "-c:v libx264 -qp 0 " +
      quoted(folder / "bt709.mkv"));
  const auto times = ffprobe_times(folder, folder / "bt709.mkv");
  Movie movie(folder / "bt709.mkv");
  EXPECT_EQ(different_frames(frames(movie, request(times, 64, 48)),
                             ffmpeg_frames(folder, folder / "bt709.mkv", 64, 48)),
            0);
}

// ---- odd time stamps
// ----------------------------------------------------------------------------------------------

TEST(Movie, VariableFrameRate) {
  const TempFolder folder;
  write_clip(folder / "clip.mkv", {.rate_hz = 25, .seconds = 6});
  // Drops two of three frames in the second half.
  ffmpeg("-i " + quoted(folder / "clip.mkv") +
         " -vf \"select='lt(t,3)+not(mod(n,3))'\" -fps_mode vfr -c:a copy " + quoted(folder / "vfr.mkv"));
  const auto times = ffprobe_times(folder, folder / "vfr.mkv");
  ASSERT_EQ(times.size(), 100U);
  Movie movie(folder / "vfr.mkv");
  const auto expected = ffmpeg_frames(folder, folder / "vfr.mkv", 96, 64);
  EXPECT_EQ(different_frames(frames(movie, request(times, 96, 64)), expected), 0);
  // Between two frames of the slow half the earlier one stands.
  std::vector<double> later;
  for (const double time : times) later.push_back(time + 0.035);
  EXPECT_EQ(different_frames(frames(movie, request(later, 96, 64)), expected), 0);
  EXPECT_EQ(movie.broken_packets(), 0);
}

TEST(Movie, StreamsThatDoNotStartAtZero) {
  const TempFolder folder;
  write_clip(folder / "clip.mkv", {});
  ffmpeg("-i " + quoted(folder / "clip.mkv") + " -c copy -output_ts_offset 7 " + quoted(folder / "late.mkv"));
  ffmpeg("-i " + quoted(folder / "clip.mkv") + " -c copy -output_ts_offset 7 " + quoted(folder / "late.ts"));
  const auto expected = ffmpeg_frames(folder, folder / "clip.mkv", 96, 64);
  std::vector<double> times;
  for (int i = 0; i < 96; ++i) times.push_back((i + 0.5) / 24);
  for (const std::string name : {"late.mkv", "late.ts"}) {
    Movie movie(folder / name);
    EXPECT_NEAR(movie.info().video_s, 4.0, 0.1) << name;
    EXPECT_NEAR(movie.info().audio_s, 4.0, 0.1) << name;
    EXPECT_EQ(different_frames(frames(movie, request(times, 96, 64)), expected), 0) << name;
    EXPECT_NEAR(static_cast<double>(movie.audio().samples.size()), 4 * 16000, 1600) << name;
  }
}

TEST(Movie, MissingTimeStampsAreCountedFromTheFrameRate) {
  const TempFolder folder;
  write_clip(folder / "clip.mkv", {.rate_hz = 25, .audio_rate_hz = 0});
  ffmpeg("-i " + quoted(folder / "clip.mkv") + " -c copy -bsf:v h264_mp4toannexb -f h264 " +
         quoted(folder / "raw.h264"));
  const auto expected = ffmpeg_frames(folder, folder / "raw.h264", 96, 64);
  std::vector<double> times;
  for (int i = 0; i < 100; ++i) times.push_back((i + 0.5) / 25);
  Movie movie(folder / "raw.h264");
  EXPECT_NEAR(movie.info().video_s, 4.0, 0.1);
  EXPECT_EQ(different_frames(frames(movie, request(times, 96, 64)), expected), 0);
}

// ---- sound
// --------------------------------------------------------------------------------------------------------

TEST(Movie, RealSpeechEqualsFfmpeg) {
  const TempFolder folder;
  for (const std::string name : {"0870", "0880"}) {
    const auto file = real_speech / ("sense_and_sensibility_01_austen_64kb-" + name + ".wav");
    ASSERT_TRUE(fs::exists(file)) << file << ": install the package pocketsphinx-testdata";
    Movie movie(file);
    EXPECT_EQ(movie.info().video_s, 0);
    const auto track = movie.audio();
    EXPECT_EQ(track.rate_hz, 16000);
    EXPECT_NEAR(movie.info().audio_s, static_cast<double>(track.samples.size()) / 16000, 1e-3);
    EXPECT_EQ(largest_difference(track.samples, ffmpeg_sound(folder, file, "aresample=16000")), 0);
    EXPECT_LT(largest_difference(movie.audio(22050).samples, ffmpeg_sound(folder, file, "aresample=22050")),
              1e-6F);
    EXPECT_GT(rms(track.samples), 0.01);
  }
}

TEST(Movie, StereoBecomesTheMeanOfItsChannels) {
  const TempFolder folder;
  const auto file = real_clips / "Megamind.avi";
  Movie movie(file);
  const auto expected = ffmpeg_sound(folder, file, "'pan=mono|c0=0.5*c0+0.5*c1,aresample=16000'");
  // The first packet of this clip is broken: ffmpeg begins with the second, we keep the 32 ms it would have
  // lasted.
  const auto samples = movie.audio().samples;
  EXPECT_GT(movie.broken_packets(), 0);
  ASSERT_EQ(samples.size(), expected.size() + 512);
  EXPECT_EQ(rms(std::span(samples).first(512)), 0);
  EXPECT_LT(largest_difference(std::span(samples).subspan(512), expected), 1e-5F);
}

TEST(Movie, SoundOfTheWriterReadsBack) {
  const TempFolder folder;
  write_clip(folder / "clip.mkv", {});
  Movie movie(folder / "clip.mkv");
  const auto track = movie.audio();
  EXPECT_NEAR(static_cast<double>(track.samples.size()), 4 * 16000, 1100);
  // The encoder is lossy and Matroska's times are whole milliseconds, but the delay the encoder adds must be
  // gone: the sine has to stand where it was, to half a millisecond.
  double best = 1;
  for (int shift = -8; shift <= 8; ++shift) {
    double error = 0;
    double power = 0;
    for (int i = 32000; i < 60000; ++i) {
      const double t = i / 16000.0;
      const double truth = 0.5 * t / 4 * std::sin(2 * std::numbers::pi * 440 * t);
      error += std::pow(track.samples[static_cast<std::size_t>(i + shift)] - truth, 2);
      power += truth * truth;
    }
    best = std::min(best, error / power);
  }
  EXPECT_LT(best, 0.01);
}

TEST(Movie, SilenceStandsBeforeSoundThatStartsLate) {
  const TempFolder folder;
  write_clip(folder / "clip.mkv", {});
  ffmpeg("-i " + quoted(folder / "clip.mkv") + " -itsoffset 1.25 -i " + quoted(folder / "clip.mkv") +
         " -map 0:v -map 1:a -c copy " + quoted(folder / "late.mkv"));
  Movie original(folder / "clip.mkv");
  Movie late(folder / "late.mkv");
  const auto expected = original.audio().samples;
  const auto samples = late.audio().samples;
  ASSERT_NEAR(static_cast<double>(samples.size()), static_cast<double>(expected.size() + 20000), 40);
  EXPECT_EQ(rms(std::span(samples).first(19000)), 0);
  EXPECT_NEAR(late.info().audio_s, 5.25, 0.06);
  // Time stamps of Matroska are whole milliseconds: find the shift within ±16 samples.
  float best = 1;
  for (std::size_t shift = 19984; shift <= 20016; ++shift) {
    best = std::min(best, largest_difference(std::span(samples).subspan(shift + 2000, 50000),
                                             std::span(expected).subspan(2000, 50000)));
  }
  EXPECT_LT(best, 1e-3F);
}

TEST(Movie, AHoleInTheSoundIsFilledWithSilence) {
  const TempFolder folder;
  write_clip(folder / "clip.mkv", {});
  ffmpeg("-i " + quoted(folder / "clip.mkv") + " -c copy -bsf:a \"noise=drop='between(pts*tb,1,2)'\" " +
         quoted(folder / "hole.mkv"));
  Movie original(folder / "clip.mkv");
  Movie holed(folder / "hole.mkv");
  const auto expected = original.audio().samples;
  const auto samples = holed.audio().samples;
  EXPECT_NEAR(static_cast<double>(samples.size()), static_cast<double>(expected.size()), 800);
  EXPECT_LT(rms(std::span(samples).subspan(19200, 9600)), 1e-4);
  EXPECT_NEAR(rms(std::span(samples).subspan(48000, 12000)), rms(std::span(expected).subspan(48000, 12000)),
              0.02);
}

// ---- what is wrong
// ------------------------------------------------------------------------------------------------

TEST(Movie, SaysWhichStreamIsMissing) {
  const TempFolder folder;
  write_clip(folder / "silent.mkv", {.audio_rate_hz = 0});
  Movie silent(folder / "silent.mkv");
  EXPECT_EQ(silent.info().audio_s, 0);
  expect_contains(input_error([&] { silent.audio(); }), {"silent.mkv", "no audio track"});
  Movie speech(real_speech / "sense_and_sensibility_01_austen_64kb-0880.wav");
  expect_contains(input_error([&] { frames(speech, request({0}, 8, 8)); }), {"0880.wav", "no video stream"});
}

TEST(Movie, RefusesWhatIsNoMovie) {
  const TempFolder folder;
  expect_contains(input_error([&] { Movie(folder / "gone.mkv"); }), {"gone.mkv", "no such file"});
  expect_contains(input_error([&] { Movie(folder.path()); }), {"folder"});
  test::write_text(folder / "text.mkv", "this is not a movie\n");
  expect_contains(input_error([&] { Movie(folder / "text.mkv"); }), {"text.mkv", "cannot be read"});
  test::write_text(folder / "empty.mkv", "");
  expect_contains(input_error([&] { Movie(folder / "empty.mkv"); }), {"empty.mkv", "cannot be read"});
}

TEST(Movie, ATruncatedFileIsNamedWithItsEnd) {
  const TempFolder folder;
  write_clip(folder / "clip.mkv", {.seconds = 20});
  ffmpeg("-i " + quoted(folder / "clip.mkv") + " -c copy -movflags +faststart " +
         quoted(folder / "clip.mp4"));
  ffmpeg("-i " + quoted(folder / "clip.mkv") + " -c copy " + quoted(folder / "tail.mp4"));
  ffmpeg("-i " + quoted(folder / "clip.mkv") + " -c:v mpeg4 -c:a pcm_s16le -ar 8000 " +
         quoted(folder / "clip.avi"));
  for (const std::string name : {"clip.mkv", "clip.mp4", "clip.avi"}) {
    fs::resize_file(folder / name, fs::file_size(folder / name) / 2);
    Movie movie(folder / name);
    EXPECT_NEAR(movie.info().video_s, 20.0, 0.1);
    EXPECT_EQ(frames(movie, request({0.5, 2.0}, 48, 32)).count, 2) << "what is there can be read";
    expect_contains(input_error([&] {
                      frames(movie, request({1.0, 19.0}, 48, 32));
                    }),
                    {name, "truncated", "20.0"});
    expect_contains(input_error([&] {
                      frames(movie, request({18.0, 19.0}, 48, 32));
                    }),
                    {name, "truncated", "20.0"});
    expect_contains(input_error([&] { movie.audio(); }), {name, "truncated"});
  }
  fs::resize_file(folder / "tail.mp4", fs::file_size(folder / "tail.mp4") / 2);
  expect_contains(input_error([&] { Movie(folder / "tail.mp4"); }), {"tail.mp4", "truncated"});
}

TEST(Movie, GarbageInTheMiddleIsSkippedAndCounted) {
  const TempFolder folder;
  write_clip(folder / "clip.mkv", {.rate_hz = 25, .seconds = 20});
  std::string bytes = test::read_text(folder / "clip.mkv");
  for (const std::size_t size : {200U, 6000U}) {
    std::string damaged = bytes;
    for (std::size_t i = 0; i < size; ++i) damaged[damaged.size() / 2 + i] = static_cast<char>(i * 37 + 11);
    test::write_text(folder / "damaged.mkv", damaged);
    Movie movie(folder / "damaged.mkv");
    std::vector<double> times;
    for (int i = 0; i < 500; ++i) times.push_back((i + 0.5) / 25);
    const auto stack = frames(movie, request(times, 96, 64));
    EXPECT_GT(movie.broken_packets(), 0) << size;
    const auto expected = ffmpeg_frames(folder, folder / "clip.mkv", 96, 64, 500);
    // The first and the last key frame intervals are whole.
    const auto frame_bytes = static_cast<std::size_t>(stack.frame_bytes());
    for (const std::size_t i : {0U, 40U, 100U, 480U, 499U}) {
      EXPECT_EQ(
          std::memcmp(stack.frame(static_cast<Index>(i)), expected.data() + i * frame_bytes, frame_bytes), 0)
          << size << " bytes, frame " << i;
    }
    EXPECT_NEAR(static_cast<double>(movie.audio().samples.size()), 20 * 16000, 1600) << size;
  }
}

// ---- writing
// ------------------------------------------------------------------------------------------------------

TEST(MovieWriter, WritesTheSameFileTwice) {
  const TempFolder folder;
  write_clip(folder / "a.mkv", {});
  write_clip(folder / "b.mkv", {});
  EXPECT_EQ(test::read_text(folder / "a.mkv"), test::read_text(folder / "b.mkv"));
}

TEST(MovieWriter, WithoutFinishOnlyAPartialFileIsLeft) {
  const TempFolder folder;
  { MovieWriter writer(folder / "clip.mkv", {}); }
  EXPECT_FALSE(fs::exists(folder / "clip.mkv"));
  EXPECT_TRUE(fs::exists(folder / "clip.mkv.partial"));
}

TEST(MovieWriter, RefusesWhatCannotBeWritten) {
  const TempFolder folder;
  expect_contains(input_error([&] { MovieWriter(folder / "no" / "clip.mkv", {}); }),
                  {"clip.mkv", "cannot be written"});
  MovieWriter::Settings odd;
  odd.width = 33;
  expect_contains(input_error([&] { MovieWriter(folder / "clip.mkv", odd); }), {"33", "even"});
}

TEST(MovieWriter, SaysThatTheDiskIsFull) {
  const TempFolder folder;
  // A file may grow to 64 KiB only: what a full disk does, without filling one.
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit small = before;
  small.rlim_cur = 65536;
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto message = input_error([&] { write_clip(folder / "clip.mkv", {.seconds = 20}); });
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  expect_contains(message, {"clip.mkv", "cannot be written"});
  EXPECT_FALSE(fs::exists(folder / "clip.mkv"));
}

}  // namespace
}  // namespace cinecortex::dataset
