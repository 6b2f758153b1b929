// Features of slow_r50 of frames in a file, timed: the counterpart of pytorchvideo in peers/slow_r50.py. Prints JSON.
//   slow_r50 WEIGHTS FRAMES TRS BATCH TYPE FEATURES
// FRAMES are uint8 [trs, 8, 256, 256, 3]; FEATURES become raw float32 [trs, width].
#include <fmt/format.h>

#include <filesystem>
#include <fstream>

#include "benchmark_main.hpp"
#include "cinecortex/models/extractor.hpp"

namespace {

using namespace cinecortex;

constexpr Index frames_a_tr = 8;
constexpr int size_px = 256;

FrameStack read_frames(const char* file) {
  FrameStack stack{.height = size_px, .width = size_px, .channels = 3, .pixels = {}};
  stack.pixels.resize(std::filesystem::file_size(file));
  stack.count = std::ssize(stack.pixels) / stack.frame_bytes();
  std::ifstream(file, std::ios::binary)
      .read(reinterpret_cast<char*>(stack.pixels.data()), std::ssize(stack.pixels));
  return stack;
}

int measure(char** argv) {
  const FrameStack stack = read_frames(argv[2]);
  const Index trs = std::atoll(argv[3]);
  if (stack.count != trs * frames_a_tr) {
    fmt::print(stderr, "slow_r50: {} frames, not {}\n", stack.count, trs * frames_a_tr);
    return 2;
  }
  const Stopwatch loading;
  const auto extractor = models::make_extractor(
      {.model = "slow_r50",
       .weights = argv[1],
       .options = {{"batch", std::int64_t{std::atoll(argv[4])}}, {"type", std::string(argv[5])}}});
  const double loaded = loading.seconds();
  const models::RunInfo info{.run = "frames", .video_s = static_cast<double>(trs) * 1.49};
  const models::Stimulus stimulus{.info = info, .frames = &stack};
  std::vector<MatrixF> features{MatrixF(trs, extractor->readings()[0].width)};
  double least = std::numeric_limits<double>::infinity();
  for (int repeat = 0; repeat < 3; ++repeat) {
    const Stopwatch clock;
    extractor->extract(stimulus, {0, trs}, features);
    least = std::min(least, clock.seconds());
  }
  std::ofstream(argv[6], std::ios::binary)
      .write(reinterpret_cast<const char*>(features[0].data()),
             features[0].size() * static_cast<std::streamsize>(sizeof(float)));
  fmt::print("{{\"seconds\": {:.4f}, \"loading\": {:.4f}, \"width\": {}}}\n", least, loaded,
             features[0].cols());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 7) {
    fmt::print(stderr, "slow_r50 WEIGHTS FRAMES TRS BATCH TYPE FEATURES\n");
    return 2;
  }
  return benchmarks::run_alone(argc, argv, [&] { return measure(argv); });
}
