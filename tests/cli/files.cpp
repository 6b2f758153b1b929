// Real clips and real speech, one file at a time, and matrices against the reference implementations.
#include <gtest/gtest.h>

#include "cinecortex/io/hdf5.hpp"
#include "program.hpp"
#include "temp_folder.hpp"

namespace cinecortex::testing {
namespace {

namespace fs = std::filesystem;

const fs::path clips = "/usr/share/doc/opencv-doc/examples/data";
const fs::path speech = "/usr/share/pocketsphinx/test/data";

MatrixD extract(const std::string& model, const std::string& option, const fs::path& file,
                const TempFolder& folder) {
  const auto output = folder / (model + ".h5");
  const auto result =
      run_program({"extract", "--model", model, option, file.string(), "--output", output.string()}, 2);
  EXPECT_EQ(result.code, 0) << result.err;
  if (result.code != 0) return {};
  return io::Hdf5Reader(output).read<double>("/features");
}

TEST(RealClips, PedestriansMove) {
  const TempFolder folder;
  const auto features = extract("motion_energy", "--movie", clips / "vtest.avi", folder);
  EXPECT_NEAR(static_cast<double>(features.rows()), 79.5 / 1.49, 1.0);
  EXPECT_TRUE(features.allFinite());
  EXPECT_GT((features.rowwise() - features.colwise().mean()).cwiseAbs().maxCoeff(), 0.0);
}

TEST(RealClips, AFilmHasSightAndSound) {
  const TempFolder folder;
  const auto sight = extract("motion_energy", "--movie", clips / "Megamind.avi", folder);
  const auto sound = extract("audio_energy", "--movie", clips / "Megamind.avi", folder);
  EXPECT_NEAR(static_cast<double>(sight.rows()), 11.2 / 1.49, 1.0);
  EXPECT_TRUE(sight.allFinite() && sound.allFinite());
}

TEST(RealSpeech, HasEnergy) {
  const TempFolder folder;
  const auto file = speech / "librivox" / "sense_and_sensibility_01_austen_64kb-0870.wav";
  const auto features = extract("audio_energy", "--audio", file, folder);
  EXPECT_GT(features.rows(), 2);
  EXPECT_TRUE(features.allFinite());
}

}  // namespace
}  // namespace cinecortex::testing
