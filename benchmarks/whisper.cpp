// Whisper features of a sound, timed: the counterpart of transformers in peers/whisper.py. Prints JSON.
//   whisper WEIGHTS SOUND TRS BATCH TYPE LAYERS FEATURES
// SOUND is raw float32 at 16 kHz; its last TRS rows, which hear 29 s each, are computed BATCH at a time. LAYERS are
// blocks, joined by commas. FEATURES become raw float32 [trs, width].
#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "benchmark_main.hpp"
#include "cinecortex/models/extractor.hpp"
#include "cinecortex/models/runtime.hpp"

namespace {

using namespace cinecortex;

std::vector<float> read_sound(const char* file) {
  std::vector<float> sound(std::filesystem::file_size(file) / sizeof(float));
  std::ifstream(file, std::ios::binary)
      .read(reinterpret_cast<char*>(sound.data()),
            static_cast<std::streamsize>(sound.size() * sizeof(float)));
  return sound;
}

std::vector<double> read_layers(const std::string& text) {
  std::vector<double> layers;
  std::istringstream stream(text);
  for (std::string layer; std::getline(stream, layer, ',');) layers.push_back(std::stod(layer));
  return layers;
}

int measure(char** argv) {
  const auto sound = read_sound(argv[2]);
  const Index trs = std::atoll(argv[3]);
  const Stopwatch loading;
  const auto extractor = models::make_extractor({.model = "whisper",
                                                 .weights = argv[1],
                                                 .options = {{"batch", std::int64_t{std::atoll(argv[4])}},
                                                             {"type", std::string(argv[5])},
                                                             {"layers", read_layers(argv[6])}}});
  const double loaded = loading.seconds();
  const models::RunInfo info{.run = "sound", .audio_s = static_cast<double>(sound.size()) / 16000};
  const Index rows = extractor->rows(info);
  const models::Stimulus stimulus{.info = info, .audio = sound};
  std::vector<MatrixF> features{MatrixF(trs, extractor->readings()[0].width)};
  double least = std::numeric_limits<double>::infinity();
  for (int repeat = 0; repeat < 3; ++repeat) {
    const Stopwatch clock;
    extractor->extract(stimulus, {rows - trs, rows}, features);
    least = std::min(least, clock.seconds());
  }
  std::ofstream(argv[7], std::ios::binary)
      .write(reinterpret_cast<const char*>(features[0].data()),
             static_cast<std::streamsize>(features[0].size() * sizeof(float)));
  fmt::print("{{\"seconds\": {:.4f}, \"loading\": {:.4f}, \"width\": {}}}\n", least, loaded,
             features[0].cols());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 8) {
    fmt::print(stderr, "whisper WEIGHTS SOUND TRS BATCH TYPE LAYERS FEATURES\n");
    return 2;
  }
  return benchmarks::run_alone(argc, argv, [&] { return measure(argv); });
}
