// Against Pillow, to the bit: tests/parity/dataset/make_pillow.py.
#include "../../src/dataset/bicubic_resampler.hpp"

#include <sstream>

#include "dataset_clips.hpp"

namespace cinecortex::dataset {
namespace {

std::vector<std::uint8_t> picture(int height, int width, int channels) {
  std::vector<std::uint8_t> pixels;
  for (std::int64_t y = 0; y < height; ++y) {
    for (std::int64_t x = 0; x < width; ++x) {
      for (std::int64_t c = 0; c < channels; ++c) {
        const std::int64_t noise = (x * 2654435761 + y * 40503 + c * 977) % 65521 * 7919 % 256;
        const bool white = (x / 5 + y / 3 + c) % 4 == 0, black = (x / 7 + y / 11) % 3 == 0;
        pixels.push_back(static_cast<std::uint8_t>(white ? 255 : black ? 0 : noise));
      }
    }
  }
  return pixels;
}

std::uint64_t fnv(const std::vector<std::uint8_t>& data) {
  std::uint64_t value = 0xCBF29CE484222325;
  for (const auto byte : data) value = (value ^ byte) * 0x100000001B3;
  return value;
}

TEST(BicubicResampler, EqualsPillowToTheBit) {
  const char* tests = std::getenv("CINECORTEX_TEST_DATA");
  std::ifstream file(std::filesystem::path(tests != nullptr ? tests : "tests") / "parity/dataset/pillow.txt");
  int cases = 0;
  for (std::string line; std::getline(file, line); ++cases) {
    std::istringstream words(line);
    BicubicResampler::Size from, to;
    int channels = 0;
    std::uint64_t hash = 0;
    words >> from.height >> from.width >> to.height >> to.width >> channels >> hash;
    const auto source = picture(from.height, from.width, channels);
    std::vector<std::uint8_t> target(static_cast<std::size_t>(Index{to.height} * to.width * channels));
    BicubicResampler resampler(from, to, channels);
    for (int again = 0; again < 2; ++again) {
      resampler(source.data(), std::ptrdiff_t{from.width} * channels, target);
      EXPECT_EQ(fnv(target), hash) << line;
    }
    for (std::size_t i = 0; i < std::min<std::size_t>(12, target.size()); ++i) {
      int expected = -1;
      words >> expected;
      EXPECT_EQ(int{target[i]}, expected) << line << ", value " << i;
    }
  }
  EXPECT_EQ(cases, 11);
}

// The pictures of a movie at their own size, resized, are the movie's pictures resized.
TEST(Movie, ResizesAsPillow) {
  const test::TempFolder folder;
  test::write_clip(folder / "clip.mkv", {});
  Movie movie(folder / "clip.mkv");
  const auto own = test::frames(movie, test::request({0.5, 2.0}, 96, 64));
  auto wanted = test::request({0.5, 2.0}, 40, 28);
  wanted.interpolation = Interpolation::bicubic_pillow;
  const auto stretched = test::frames(movie, wanted);
  wanted.fit = FrameFit::short_side_centre_crop;
  const auto cropped = test::frames(movie, wanted);
  BicubicResampler stretch({64, 96}, {28, 40}, 3), scale({64, 96}, {28, 42}, 3);
  std::vector<std::uint8_t> expected(28 * 42 * 3);
  for (Index i = 0; i < 2; ++i) {
    stretch(own.frame(i), 96 * 3, expected);
    EXPECT_EQ(std::memcmp(stretched.frame(i), expected.data(), 28 * 40 * 3), 0);
    scale(own.frame(i), 96 * 3, expected);
    for (std::size_t row = 0; row < 28; ++row) {
      EXPECT_EQ(std::memcmp(cropped.frame(i) + row * 120, expected.data() + row * 126 + 3, 120), 0) << row;
    }
  }
}

}  // namespace
}  // namespace cinecortex::dataset
