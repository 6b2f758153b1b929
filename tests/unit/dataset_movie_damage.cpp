// Movies that are odd or damaged on purpose, and movies that cannot be written.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <cstring>

#include "dataset_clips.hpp"

namespace cinecortex::dataset {
namespace {

using namespace test;

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
