// Motion energies of frames in a file, timed: the counterpart of pymoten in peers/motion_energy.py. Prints JSON.
//   motion_energy FRAMES HEIGHT WIDTH FPS ENERGIES
// FRAMES are raw float64 luminances [n, height, width]; ENERGIES become raw float64 [n, filters].
#include "cinecortex/models/motion_energy.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>

#include "benchmark_main.hpp"

namespace {

using namespace cinecortex;

int measure(char** argv) {
  const models::MotionEnergySettings settings{
      .height = std::atoll(argv[2]), .width = std::atoll(argv[3]), .fps = std::atoll(argv[4])};
  const Index pixels = settings.height * settings.width;
  const auto count = static_cast<Index>(std::filesystem::file_size(argv[1])) / (8 * pixels);
  MatrixD frames(count, pixels);
  std::ifstream(argv[1], std::ios::binary).read(reinterpret_cast<char*>(frames.data()), 8 * frames.size());

  const Stopwatch building;
  const models::MotionEnergyPyramid pyramid(settings);
  const double built = building.seconds();
  MatrixD energies(count, std::ssize(pyramid.filters()));
  double least = std::numeric_limits<double>::infinity();
  for (int repeat = 0; repeat < 3; ++repeat) {
    const Stopwatch clock;
    MatrixD responses(count, pyramid.channels());
    pyramid.spatial_responses(frames, responses);
    pyramid.energies(responses, {0, count}, energies);
    least = std::min(least, clock.seconds());
  }
  std::ofstream(argv[5], std::ios::binary)
      .write(reinterpret_cast<const char*>(energies.data()), 8 * energies.size());
  fmt::print("{{\"seconds\": {:.4f}, \"building\": {:.4f}, \"filters\": {}}}\n", least, built,
             pyramid.filters().size());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) {
    fmt::print(stderr, "motion_energy FRAMES HEIGHT WIDTH FPS ENERGIES\n");
    return 2;
  }
  return benchmarks::run_alone(argc, argv, [&] { return measure(argv); });
}
