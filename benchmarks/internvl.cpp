// InternVL's readings of some TRs, timed: the counterpart of transformers in peers/internvl.py. Prints JSON.
//   internvl WEIGHTS FRAMES TRANSCRIPT FIRST TRS BATCH TYPE LAYERS FEATURES
// FRAMES is uint8 [TRS, 8, side, side, 3], TRANSCRIPT has a line of text a TR of the run, of which TRS from FIRST on are
// computed, BATCH of them encoded at once. LAYERS are blocks, joined by commas. FEATURES become raw float32: img, text and
// vit, each [trs, width]. Every repetition begins with nothing in common with the one before.
#include <fmt/format.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "benchmark_main.hpp"
#include "cinecortex/models/extractor.hpp"
#include "cinecortex/models/runtime.hpp"

namespace {

using namespace cinecortex;

std::vector<double> read_layers(const std::string& text) {
  std::vector<double> layers;
  std::istringstream stream(text);
  for (std::string layer; std::getline(stream, layer, ',');) layers.push_back(std::stod(layer));
  return layers;
}

Transcript read_words(const char* file) {
  Transcript transcript;
  std::ifstream stream(file);
  for (std::string line; std::getline(stream, line);) transcript.push_back({line, {}, {}, {}});
  return transcript;
}

FrameStack read_frames(const char* file, const FrameRequest& request) {
  FrameStack stack{.count = std::ssize(request.times_s),
                   .height = request.height,
                   .width = request.width,
                   .channels = 3,
                   .pixels = {}};
  stack.pixels.resize(static_cast<std::size_t>(stack.count * stack.frame_bytes()));
  std::ifstream(file, std::ios::binary)
      .read(reinterpret_cast<char*>(stack.pixels.data()), static_cast<std::streamsize>(stack.pixels.size()));
  return stack;
}

int measure(char** argv) {
  const Transcript transcript = read_words(argv[3]);
  const Index first = std::atoll(argv[4]), trs = std::atoll(argv[5]);
  const Stopwatch loading;
  const auto extractor = models::make_extractor({.model = "internvl",
                                                 .weights = argv[1],
                                                 .options = {{"batch", std::int64_t{std::atoll(argv[6])}},
                                                             {"type", std::string(argv[7])},
                                                             {"layers", read_layers(argv[8])}}});
  const double loaded = loading.seconds();
  const models::RunInfo info{.run = "run", .transcript_rows = std::ssize(transcript)};
  const Range rows{first, first + trs};
  const FrameStack frames = read_frames(argv[2], *extractor->frame_request(info, rows));
  const Transcript other{{"something else entirely ", {}, {}, {}}, {"before ", {}, {}, {}}};
  std::vector<MatrixF> features, ignored;
  for (const auto& reading : extractor->readings()) {
    features.emplace_back(trs, reading.width);
    ignored.emplace_back(1, reading.width);
  }
  double least = std::numeric_limits<double>::infinity();
  for (int repeat = 0; repeat < 2; ++repeat) {
    if (repeat > 0) {  // forgets the words
      FrameStack one{.count = frames.count / trs,
                     .height = frames.height,
                     .width = frames.width,
                     .channels = 3,
                     .pixels = {}};
      one.pixels.assign(frames.pixels.begin(), frames.pixels.begin() + one.count * one.frame_bytes());
      extractor->extract({.info = info, .frames = &one, .audio = {}, .transcript = other}, {1, 2}, ignored);
    }
    const Stopwatch clock;
    extractor->extract({.info = info, .frames = &frames, .audio = {}, .transcript = transcript}, rows,
                       features);
    least = std::min(least, clock.seconds());
  }
  std::ofstream out(argv[9], std::ios::binary);
  for (const MatrixF& reading : features) {
    out.write(reinterpret_cast<const char*>(reading.data()),
              static_cast<std::streamsize>(reading.size() * sizeof(float)));
  }
  fmt::print("{{\"seconds\": {:.4f}, \"loading\": {:.4f}}}\n", least, loaded);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 10) {
    fmt::print(stderr, "internvl WEIGHTS FRAMES TRANSCRIPT FIRST TRS BATCH TYPE LAYERS FEATURES\n");
    return 2;
  }
  return benchmarks::run_alone(argc, argv, [&] { return measure(argv); });
}
