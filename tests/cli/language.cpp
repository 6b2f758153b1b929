// Language models, from a transcript on disk to feature rows.
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

fs::path reference() {
  return fs::path(std::getenv("CINECORTEX_TEST_DATA")) / "parity" / "models" / "llama";
}

Arguments extract_words(const fs::path& weights, const fs::path& output) {
  return {"extract",
          "--model",
          "llama",
          "--weights",
          weights.string(),
          "--transcript",
          (reference() / "transcript.tsv").string(),
          "--set",
          "layers=[0,1,3]",
          "--set",
          "words=12",
          "--output",
          output.string()};
}

/// What transformers makes of the same file (tests/parity/models/make_llama.py).
TEST(Transcripts, GiveTheReferencesLlamaFeatures) {
  const TempFolder folder;
  const auto result = run_program(extract_words(reference(), folder / "rows.h5"), 2);
  ASSERT_EQ(result.code, 0) << result.err;
  const auto rows = io::Hdf5Reader(folder / "rows.h5").read<double>("/features");
  const io::Safetensors stored(reference() / "expected.safetensors");
  const auto& tensor = stored.at("rows");
  ASSERT_EQ(tensor.shape, (std::vector<Index>{rows.rows(), rows.cols()}));
  MatrixF expected(rows.rows(), rows.cols());
  std::memcpy(expected.data(), tensor.bytes.data(), tensor.bytes.size());
  const double off = (rows - expected.cast<double>()).cwiseAbs().maxCoeff() / expected.cwiseAbs().maxCoeff();
  fmt::print("rows: largest difference {:.1e} of the largest value\n", off);
  EXPECT_LE(off, 1e-3);
}

TEST(Transcripts, NeedWholeWeights) {
  const TempFolder folder;
  const auto weights = folder / "weights";
  fs::copy(reference(), weights);
  fs::resize_file(weights / "model.safetensors", fs::file_size(weights / "model.safetensors") - 100);
  const auto cut = run_program(extract_words(weights, folder / "rows.h5"), 2);
  EXPECT_EQ(cut.code, 2);
  EXPECT_NE(cut.err.find("model.safetensors: tensor"), std::string::npos) << cut.err;
  EXPECT_NE(cut.err.find("is the file complete?"), std::string::npos) << cut.err;
  fs::remove(weights / "model.safetensors");
  const auto gone = run_program(extract_words(weights, folder / "rows.h5"), 2);
  EXPECT_EQ(gone.code, 2);
  EXPECT_NE(gone.err.find("neither model.safetensors nor"), std::string::npos) << gone.err;
}

}  // namespace
}  // namespace cinecortex::testing
