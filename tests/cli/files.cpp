// Real clips and real speech, one file at a time, and matrices against the reference implementations.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>

#include "cinecortex/io/hdf5.hpp"
#include "cinecortex/io/safetensors.hpp"
#include "program.hpp"
#include "temp_folder.hpp"

namespace cinecortex::testing {
namespace {

namespace fs = std::filesystem;

const fs::path clips = "/usr/share/doc/opencv-doc/examples/data";
const fs::path speech = "/usr/share/pocketsphinx/test/data";

MatrixD extract(const std::string& model, const std::string& option, const fs::path& file,
                const TempFolder& folder, const Arguments& more = {}) {
  const auto output = folder / (model + ".h5");
  Arguments arguments{"extract", "--model", model, option, file.string(), "--output", output.string()};
  arguments.insert(arguments.end(), more.begin(), more.end());
  const auto result = run_program(arguments, 2);
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

fs::path parity_folder() {
  return fs::path(std::getenv("CINECORTEX_TEST_DATA")) / "parity";
}

void expect_stored_rows(const MatrixD& rows, const fs::path& file, const std::string& name) {
  const io::Safetensors stored(file);
  const auto& tensor = stored.at(name);
  ASSERT_EQ(tensor.shape, (std::vector<Index>{rows.rows(), rows.cols()}));
  MatrixF expected(rows.rows(), rows.cols());
  std::memcpy(expected.data(), tensor.bytes.data(), tensor.bytes.size());
  const double off = (rows - expected.cast<double>()).cwiseAbs().maxCoeff() / expected.cwiseAbs().maxCoeff();
  fmt::print("{}: largest difference {:.1e} of the largest value\n", name, off);
  EXPECT_LE(off, 1e-3);
}

/// Whisper's features of a file, and what transformers makes of it (tests/parity/models/make_whisper.py).
void expect_reference_rows(const std::string& name, const std::string& option, const fs::path& file) {
  const TempFolder folder;
  const fs::path reference = parity_folder() / "models" / "whisper";
  const MatrixD rows = extract(
      "whisper", option, file, folder,
      {"--weights", (reference / "mel80").string(), "--set", "layers=[0,2]", "--set", "context_s=2.4"});
  expect_stored_rows(rows, reference / "reference.safetensors", name);
}

TEST(RealSpeech, GivesTheReferencesWhisperFeatures) {
  expect_reference_rows("speech.rows", "--audio",
                        speech / "librivox" / "sense_and_sensibility_01_austen_64kb-0870.wav");
}

TEST(RealClips, GiveTheReferencesWhisperFeatures) {
  expect_reference_rows("film.rows", "--movie", clips / "Megamind.avi");
  // The same packets of sound in the container of the challenge's movies, beside pictures that start with them.
  const TempFolder folder;
  const auto mkv = folder / "film.mkv";
  const auto made =
      run_command({"ffmpeg", "-nostdin", "-v", "fatal", "-f", "lavfi", "-i", "color=s=64x48:r=24:d=11.26",
                   "-i", (clips / "Megamind.avi").string(), "-map", "0:v", "-map", "1:a", "-c:v", "mpeg4",
                   "-c:a", "copy", mkv.string()});
  ASSERT_EQ(made.code, 0) << made.err;
  expect_reference_rows("film.rows", "--movie", mkv);
}

// PyAV, pytorchvideo's transforms and its network on the same film (tests/parity/slow_r50/make_slow_r50.py).
TEST(RealClips, GiveTheReferencesSlowR50Features) {
  const TempFolder folder;
  const auto mkv = folder / "film.mkv", reference = parity_folder() / "slow_r50";
  const auto made =
      run_command({"ffmpeg", "-nostdin", "-v", "fatal", "-fflags", "+genpts", "-i",
                   (clips / "vtest.avi").string(), "-c", "copy", "-map", "0:v:0", "-t", "6", mkv.string()});
  ASSERT_EQ(made.code, 0) << made.err;
  const MatrixD rows =
      extract("slow_r50", "--movie", mkv, folder, {"--weights", (reference / "model.safetensors").string()});
  expect_stored_rows(rows, reference / "reference.safetensors", "film");
}

}  // namespace
}  // namespace cinecortex::testing
