// Networks as feature spaces of an experiment: killed and started again, and with weights that are wrong. Runs are of several
// chunks, so that an extraction can stop inside of one.
#include <gtest/gtest.h>
#include <signal.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "program.hpp"
#include "temp_folder.hpp"

namespace cinecortex::testing {
namespace {

namespace fs = std::filesystem;

const std::vector<std::string> spaces{"whisper", "llama", "internvl-img", "internvl-text", "slow_r50"};

fs::path fixtures() {
  return fs::path(std::getenv("CINECORTEX_TEST_DATA")) / "parity";
}

std::string read_text(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// Replaces a text of a file by one of the same length or, in a JSON file, of any.
void edit(const fs::path& file, const std::string& what, const std::string& by) {
  std::string text = read_text(file);
  replace(text, what, by);
  std::ofstream(file, std::ios::binary) << text;
}

/// Movies of 140 TRs, three chunks each; small copies of the four networks; the features of an undisturbed extraction by
/// one rank. Made once for all tests.
class Networks : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new TempFolder;
    const auto made = run_program({"synth", "--output", data().string(), "--subjects", "1", "--parcels", "5",
                                   "--run-tr", "140", "--runs-per-season", "1", "--runs-per-movie", "1",
                                   "--width", "32", "--height", "32", "--frame-rate", "8"},
                                  2);
    ASSERT_EQ(made.code, 0) << made.err;
    fs::create_directories(weights());
    fs::copy(fixtures() / "models" / "whisper" / "mel80", weights() / "whisper");
    fs::copy(fixtures() / "models" / "llama", weights() / "llama");
    edit(weights() / "llama" / "config.json", "\"max_position_embeddings\": 512",
         "\"max_position_embeddings\": 8192");  // the words of 140 TRs are more than 512 tokens
    fs::copy(fixtures() / "internvl" / "layernorm", weights() / "internvl");
    fs::copy(fixtures() / "slow_r50" / "model.safetensors", weights() / "slow_r50.safetensors");
    const auto whole = extract(write(*folder_ / "undisturbed"));
    ASSERT_EQ(whole.code, 0) << whole.err;
    undisturbed_tr_ = extracted_tr(whole);
    ASSERT_GT(undisturbed_tr_, 3 * 128);
  }
  static void TearDownTestSuite() { delete folder_; }

  static fs::path data() { return *folder_ / "data"; }
  static fs::path weights() { return *folder_ / "weights"; }

  /// An experiment on three of the runs with a space for each network.
  static fs::path write(const fs::path& folder) {
    const auto space = [&](const std::string& name, const std::string& model, const std::string& file,
                           const std::string& keys) {
      return "[[space]]\nname = \"" + name + "\"\nmodel = \"" + model + "\"\nweights = \"" +
             (weights() / file).string() + "\"\n" + keys + "pca = { components = 3 }\n";
    };
    const std::string vision = "layers = [1]\nframes = 1\nwords = 150\n";
    const std::string text =
        "name = \"networks\"\n[data]\nroot = \"" + data().string() +
        "\"\nsubjects = [1]\n[split]\nbase = \"friends:1\"\nstack = \"friends:2\"\ntest = "
        "\"friends:3\"\n" +
        space("whisper", "whisper", "whisper", "layers = [0, 2]\ntokens = 4\ncontext_s = 2.4\n") +
        space("llama", "llama", "llama", "layers = [1, 3]\ntokens = 2\nwords = 150\n") +
        space("internvl-img", "internvl", "internvl", vision + "reading = \"img\"\n") +
        space("internvl-text", "internvl", "internvl", vision + "reading = \"text\"\n") +
        space("slow_r50", "slow_r50", "slow_r50.safetensors", "") + "[output]\ndir = \"" +
        (folder / "out").string() + "\"\n";
    fs::create_directories(folder);
    std::ofstream(folder / "experiment.toml") << text;
    return folder / "experiment.toml";
  }

  static Result extract(const fs::path& experiment, int ranks = 0,
                        const std::function<void(int pid)>& watcher = {}) {
    return run_program({"extract", experiment.string(), "--threads", "1", "--json"}, ranks, watcher);
  }

  static double extracted_tr(const Result& result) {
    return nlohmann::json::parse(result.out).at("details").at("tr_extracted").get<double>();
  }

  static void expect_as_undisturbed(const fs::path& output) {
    const auto whole = *folder_ / "undisturbed" / "out";
    const auto files = hdf5_files(whole);
    ASSERT_EQ(files.size(), 3 * spaces.size());
    ASSERT_EQ(hdf5_files(output), files);
    for (const auto& file : files) EXPECT_EQ(largest_difference(whole / file, output / file), 0.0) << file;
  }

  static inline TempFolder* folder_ = nullptr;
  static inline double undisturbed_tr_ = 0;
};

std::vector<fs::path> chunks(const fs::path& output, const std::string& space) {
  std::vector<fs::path> found;
  std::error_code ignored;
  for (fs::directory_iterator it(output / "features" / space / "chunks", ignored), end; it != end;
       it.increment(ignored)) {
    if (it->path().extension() == ".npy") found.push_back(it->path());
  }
  return found;
}

TEST_F(Networks, GoOnFromTheChunksOfAKilledExtraction) {
  const TempFolder folder;
  const auto experiment = write(folder.path());
  const auto output = folder / "out";
  bool killed = false;
  const auto broken = extract(experiment, 2, [&](int mpirun_pid) {
    if (killed || chunks(output, spaces.back()).empty()) return;
    const auto ranks = rank_processes(mpirun_pid);
    if (ranks.size() < 2) return;
    kill(ranks.back(), SIGKILL);
    killed = true;
  });
  ASSERT_TRUE(killed) << "extraction was over before it could be killed";
  EXPECT_NE(broken.code, 0);
  ASSERT_FALSE(chunks(output, spaces.back()).empty());
  const auto again = extract(experiment, 2);
  ASSERT_EQ(again.code, 0) << again.err;
  EXPECT_LT(extracted_tr(again), undisturbed_tr_) << "nothing was kept";
  expect_as_undisturbed(output);
  for (const auto& space : spaces) EXPECT_TRUE(chunks(output, space).empty()) << space;
}

/// Which rank does which chunk, and after which other, must not show.
TEST_F(Networks, GiveTheSameBitsOnAnyNumberOfRanks) {
  const TempFolder folder;
  const auto result = extract(write(folder.path()), 3);
  ASSERT_EQ(result.code, 0) << result.err;
  expect_as_undisturbed(folder / "out");
}

TEST_F(Networks, AnotherBatchRedoesNothing) {
  const auto again =
      run_program({"extract", (*folder_ / "undisturbed" / "experiment.toml").string(), "--json", "--set",
                   "space.slow_r50.batch=2", "--set", "space.whisper.batch=3"});
  ASSERT_EQ(again.code, 0) << again.err;
  EXPECT_EQ(extracted_tr(again), 0);
}

TEST_F(Networks, WrongWeightsLeaveWhatIsThere) {
  const auto experiment = *folder_ / "undisturbed" / "experiment.toml";
  const auto features = *folder_ / "undisturbed" / "out" / "features";
  const auto bytes = [&] {
    std::map<fs::path, std::string> content;
    for (const auto& file : hdf5_files(features)) content[file] = read_text(features / file);
    return content;
  };
  const auto before = bytes();
  ASSERT_EQ(before.size(), 3 * spaces.size());

  const auto refused = [&](const fs::path& file, const std::function<void()>& spoil,
                           const std::vector<std::string>& words) {
    const auto good = read_text(file);
    spoil();
    expect_input_error(extract(experiment, 2), words);
    EXPECT_EQ(bytes(), before) << file;
    std::ofstream(file, std::ios::binary) << good;
  };
  const auto shard = weights() / "internvl" / "model-00002-of-00002.safetensors";
  refused(shard, [&] { fs::resize_file(shard, fs::file_size(shard) / 2); },
          {"model-00002-of-00002.safetensors", "is the file complete?"});
  const auto whisper = weights() / "whisper" / "model.safetensors";
  refused(whisper, [&] { edit(whisper, "encoder.layers.1.fc1.weight", "encoder.layers.9.fc1.weight"); },
          {"whisper: no tensor model.encoder.layers.1.fc1.weight"});
  const auto llama = weights() / "llama" / "config.json";
  refused(llama, [&] { edit(llama, "\"hidden_size\": 16", "\"hidden_size\": 32"); }, {"shape"});
  const auto slow = weights() / "slow_r50.safetensors";
  refused(slow,
          [&] { edit(slow, "blocks.1.res_blocks.0.branch2.conv_a", "blocks.1.res_blocks.0.branch2.conv_x"); },
          {"slow_r50.safetensors", "blocks.1.res_blocks.0.branch2.conv_a"});

  const auto again = extract(experiment, 2);
  ASSERT_EQ(again.code, 0) << again.err;
  EXPECT_EQ(extracted_tr(again), 0) << "the weights are the same again";
  EXPECT_EQ(bytes(), before);
}

}  // namespace
}  // namespace cinecortex::testing
