// Frames and sound against what the ffmpeg program makes of the same files: clips of our own writer, real clips
// (Debian's opencv-doc) and real speech (pocketsphinx-testdata).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>

#include "dataset_clips.hpp"

namespace cinecortex::dataset {
namespace {

using namespace test;

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

/// Bilinear interpolation by its definition, at position (i + ½) · scale − ½ of the picture.
double bilinear(const std::uint8_t* picture, int from, int to, int row, int column, int channel) {
  const auto place = [&](int i) { return std::max((i + 0.5) * from / to - 0.5, 0.0); };
  const double y = place(row), x = place(column);
  const int top = static_cast<int>(y), left = static_cast<int>(x);
  const auto value = [&](int i, int j) {
    return picture[(std::min(i, from - 1) * from + std::min(j, from - 1)) * 3 + channel];
  };
  const double above = value(top, left) + (x - left) * (value(top, left + 1) - value(top, left));
  const double below = value(top + 1, left) + (x - left) * (value(top + 1, left + 1) - value(top + 1, left));
  return above + (y - top) * (below - above);
}

TEST(Movie, ResizesAsTorchDoes) {
  const TempFolder folder;
  constexpr int side = 96;
  write_clip(folder / "clip.mkv", {.width = side, .height = side});
  Movie movie(folder / "clip.mkv");
  const auto native = frames(movie, request({1.0}, side, side));
  for (const int wanted : {31, 48, 200}) {
    auto resized = request({1.0}, wanted, wanted);
    resized.interpolation = Interpolation::bilinear_torch;
    const auto stack = frames(movie, resized);
    for (int i = 0; i < wanted * wanted * 3; ++i) {
      const double exact = bilinear(native.frame(0), side, wanted, i / 3 / wanted, i / 3 % wanted, i % 3);
      ASSERT_NEAR(stack.frame(0)[i], exact, 0.501) << wanted << ": " << i;
    }
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

}  // namespace
}  // namespace cinecortex::dataset
