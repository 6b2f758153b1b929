// The model internvl from files to rows: a real film with words against transformers (tests/parity/internvl), an experiment whose
// spaces share one pass, and weights that are wrong.
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <fstream>

#include "cinecortex/io/hdf5.hpp"
#include "cinecortex/io/safetensors.hpp"
#include "program.hpp"
#include "temp_folder.hpp"

namespace cinecortex::testing {
namespace {

namespace fs = std::filesystem;

const fs::path clip = "/usr/share/doc/opencv-doc/examples/data/Megamind.avi";

fs::path reference() {
  return fs::path(std::getenv("CINECORTEX_TEST_DATA")) / "parity" / "internvl";
}

MatrixF expected(const std::string& name) {
  const io::Safetensors file(reference() / "expected.safetensors");
  const auto& tensor = file.at(name);
  MatrixF values(tensor.shape.at(0), tensor.shape.at(1));
  std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
  return values;
}

Result extract_film(const fs::path& movie, const fs::path& weights, const std::string& reading,
                    const fs::path& output) {
  return run_program({"extract", "--model", "internvl", "--weights", weights.string(), "--movie",
                      movie.string(), "--transcript", (reference() / "transcript.tsv").string(), "--reading",
                      reading, "--set", "layers=[2,1,0]", "--output", output.string()},
                     reading == "img" ? 2 : 0);
}

fs::path film(const TempFolder& folder) {
  const auto movie = folder / "film.mkv";
  const auto made = run_command({"ffmpeg", "-nostdin", "-v", "fatal", "-i", clip.string(), "-t", "10.43",
                                 "-an", "-c:v", "ffv1", "-pix_fmt", "yuv444p", movie.string()});
  EXPECT_EQ(made.code, 0) << made.err;
  return movie;
}

TEST(InternVl, RowsOfARealFilmEqualTheReferences) {
  const TempFolder folder;
  const auto movie = film(folder);
  const std::vector<std::pair<std::string, std::string>> runs{
      {"layernorm", "img"}, {"layernorm", "text"}, {"layernorm", "vit"}, {"original", "text"}};
  for (const auto& [weights, reading] : runs) {
    const auto output = folder / (weights + reading + ".h5");
    const auto result = extract_film(movie, reference() / weights, reading, output);
    ASSERT_EQ(result.code, 0) << result.err;
    const MatrixF rows = io::Hdf5Reader(output).read<float>("/features"),
                  wanted = expected("clip." + reading);
    ASSERT_EQ(rows.rows(), wanted.rows());
    ASSERT_EQ(rows.cols(), wanted.cols());
    const double off = (rows - wanted).cwiseAbs().maxCoeff() / wanted.cwiseAbs().maxCoeff();
    std::printf("  %s, %s: off by %.1e\n", weights.c_str(), reading.c_str(), off);
    EXPECT_LE(off, 1e-3) << weights << ' ' << reading;
  }
}

fs::path write_spaces(const fs::path& folder, const std::vector<std::string>& readings) {
  fs::create_directories(folder);
  return write_experiment(folder, [&](std::string& text) {
    const auto begin = text.find("[[space]]"), end = text.find("[ridge]");
    std::string spaces;
    for (const auto& reading : readings) {
      spaces += "[[space]]\nname = \"internvl-" + reading + "\"\nmodel = \"internvl\"\nweights = \"" +
                (reference() / "rmsnorm").string() + "\"\nreading = \"" + reading +
                "\"\nlayers = [2, 1]\nframes = 2\nwords = 20\npca = { components = 5 }\n";
    }
    text.replace(begin, end - begin, spaces);
    replace(text, " ood:*", "");  // one of these movies has no words, so no space would predict it
  });
}

TEST(InternVl, SpacesShareAPassAndTakeWhatTheyWant) {
  const TempFolder folder;
  const auto all = write_spaces(folder / "all", {"img", "text", "vit"}),
             one = write_spaces(folder / "one", {"vit"});
  const auto together = run_program({"extract", all.string(), "--threads", "1"}, 2);
  ASSERT_EQ(together.code, 0) << together.err;
  const auto alone = run_program({"extract", one.string()});
  ASSERT_EQ(alone.code, 0) << alone.err;
  const std::vector<std::pair<std::string, Index>> widths{{"img", 2 * 24}, {"text", 3 * 24}, {"vit", 2 * 16}};
  for (const auto& [reading, width] : widths) {
    const auto file = folder / "all" / "out" / "features" / ("internvl-" + reading) / "s01e01a.h5";
    const MatrixF rows = io::Hdf5Reader(file).read<float>("/features");
    ASSERT_GE(rows.rows(), 40);
    EXPECT_EQ(rows.cols(), width);
    EXPECT_TRUE(rows.allFinite());
    EXPECT_GT((rows.row(0) - rows.row(39)).cwiseAbs().maxCoeff(), 0.01f);
  }
  const fs::path file = "out/features/internvl-vit/s01e01a.h5";
  EXPECT_LE(largest_difference(folder / "all" / file, folder / "one" / file), 1e-5);
  EXPECT_FALSE(fs::exists(folder / "all" / "out" / "features" / "internvl-img" / "chaplin1.h5"))
      << "no words";
}

TEST(InternVl, SaysWhatIsWrongWithWeights) {
  const TempFolder folder;
  const auto movie = clip;
  const auto with = [&](const std::string& name, const std::function<void(const fs::path&)>& spoil) {
    const auto weights = folder / name;
    fs::copy(reference() / "original", weights);
    spoil(weights);
    return extract_film(movie, weights, "vit", folder / "out.h5");
  };
  const auto edit = [](const std::string& what, const std::string& by) {
    return [=](const fs::path& weights) {
      std::ifstream in(weights / "config.json");
      std::string text(std::istreambuf_iterator<char>(in), {});
      replace(text, what, by);
      std::ofstream(weights / "config.json") << text;
    };
  };
  expect_input_error(with("no-tokenizer", [](const auto& w) { fs::remove(w / "tokenizer.json"); }),
                     {"tokenizer.json"});
  expect_input_error(with("no-config", [](const auto& w) { fs::remove(w / "config.json"); }),
                     {"config.json"});
  expect_input_error(with("cut", [](const auto& w) { fs::resize_file(w / "model.safetensors", 60000); }),
                     {"model.safetensors"});
  expect_input_error(with("transposed", edit("\"v2\"", "\"v1\"")), {"config.json", "ps_version", "v2"});
  expect_input_error(with("deeper", edit("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3")),
                     {"vision_model.encoder.layers.2"});
  expect_input_error(with("wider", edit("\"hidden_size\": 16", "\"hidden_size\": 32")),
                     {"vision_model", "shape"});
  expect_input_error(with("larger", edit("\"force_image_size\": 28", "\"force_image_size\": 56")),
                     {"force_image_size", "28"});
  expect_input_error(
      run_program({"extract", "--model", "internvl", "--weights", (reference() / "adapter").string(),
                   "--movie", movie.string(), "--transcript", (reference() / "transcript.tsv").string(),
                   "--reading", "vit", "--output", (folder / "out.h5").string()}),
      {"adapter"});
  expect_input_error(
      run_program({"extract", "--model", "internvl", "--weights", (reference() / "original").string(),
                   "--movie", movie.string(), "--transcript", (reference() / "transcript.tsv").string(),
                   "--reading", "vit", "--output", (folder / "out.h5").string()}),
      {"layers", "23", "0 to 2"});
}

}  // namespace
}  // namespace cinecortex::testing
