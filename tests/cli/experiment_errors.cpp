// Wrong input to an experiment, of every kind: one clear message, exit code 2, and nothing that was there is lost.
#include <gtest/gtest.h>

#include <fstream>

#include "cinecortex/dataset/catalogue.hpp"
#include "cinecortex/io/hdf5.hpp"
#include "program.hpp"
#include "temp_folder.hpp"

namespace cinecortex::testing {
namespace {

namespace fs = std::filesystem;

/// A copy of the shared data set that a test may damage; files are hard links until replaced.
class DamagedData {
 public:
  explicit DamagedData(const TempFolder& folder) : root_(folder / "data") {
    fs::copy(shared_data(), root_, fs::copy_options::recursive | fs::copy_options::create_hard_links);
  }
  const fs::path& root() const { return root_; }
  fs::path movie(const std::string& task) const { return dataset::layout::movie(root_, run(task)); }
  fs::path transcript(const std::string& task) const { return dataset::layout::transcript(root_, run(task)); }
  fs::path fmri(int subject, const std::string& task) const {
    const auto text = task;
    for (const auto& entry : fs::directory_iterator(dataset::layout::fmri_folder(root_, subject))) {
      if (entry.path().string().find(text) != std::string::npos) return entry.path();
    }
    throw std::runtime_error("no fMRI file " + text);
  }
  /// Replaces a file, leaving the original of which it was a link alone.
  static void write(const fs::path& file, const std::string& content) {
    fs::remove(file);
    std::ofstream(file, std::ios::binary) << content;
  }
  static std::string content(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

 private:
  static dataset::RunId run(const std::string& task) {
    return dataset::parse_task(task, dataset::Collection::friends).value();
  }
  fs::path root_;
};

class Experiment : public ::testing::Test {
 protected:
  /// Runs a verb on an experiment, perhaps on damaged data, with one and with two ranks.
  void expect_error(const std::string& verb, const std::vector<std::string>& words,
                    const std::function<void(std::string&)>& edit = {}, const fs::path& data = {}) {
    const auto experiment = write_experiment(folder_.path(), [&](std::string& text) {
      if (!data.empty()) replace(text, shared_data().string(), data.string());
      if (edit) edit(text);
    });
    for (const int ranks : {0, 2}) expect_input_error(run_program({verb, experiment.string()}, ranks), words);
  }
  void edit_error(const std::string& what, const std::string& by, const std::vector<std::string>& words) {
    expect_error("validate", words, [&](std::string& text) { replace(text, what, by); });
  }
  TempFolder folder_;
};

TEST_F(Experiment, UnknownKeyHasLineAndSuggestion) {
  edit_error("window = 3", "windwo = 3", {"experiment.toml:", "windwo", "window"});
}

TEST_F(Experiment, WrongTypeIsNamed) {
  edit_error("window = 3", "window = \"three\"", {"experiment.toml:", "window", "integer"});
}

TEST_F(Experiment, BrokenTomlHasItsLine) {
  edit_error("window = 3", "window = ", {"experiment.toml:"});
}

TEST_F(Experiment, DelayBeyondEveryRun) {
  edit_error("delay = 2", "delay = -700", {"space motion", "-700", "longest"});
}

TEST_F(Experiment, ImpossibleAlpha) {
  edit_error("alphas = [1e4", "alphas = [-1", {"alphas", "-1"});
}

TEST_F(Experiment, UnknownModelIsSuggested) {
  edit_error("model = \"word_rate\"", "model = \"word_rates\"", {"word_rates", "word_rate"});
}

TEST_F(Experiment, SelectorThatMatchesNothing) {
  edit_error("base = \"friends:1-4 movie10:figures\"", "base = \"friends:1-4 movie10:fingers\"",
             {"fingers", "figures"});
}

TEST_F(Experiment, RunInBaseAndStack) {
  edit_error("stack = \"friends:5 movie10:bourne\"", "stack = \"friends:4-5\"", {"s04e01", "base", "stack"});
}

TEST_F(Experiment, RunInTestAndFit) {
  edit_error("test = \"friends:6,7 movie10:life ood:*\"", "test = \"friends:5-7\"",
             {"s05e01", "stack", "test"});
}

TEST_F(Experiment, AKeyMayAllowTheLeak) {
  const auto experiment = write_experiment(folder_.path(), [](std::string& text) {
    replace(text, "stack = \"friends:5 movie10:bourne\"", "stack = \"friends:4-5\"\nallow_leak = true");
  });
  EXPECT_EQ(run_program({"validate", experiment.string()}).code, 0);
}

TEST_F(Experiment, MoreComponentsThanRows) {
  edit_error("components = 20", "components = 5000", {"motion", "5000", "rows"});
}

TEST_F(Experiment, NoDataSetThere) {
  expect_error("validate", {"/nowhere"},
               [](std::string& text) { replace(text, shared_data().string(), "/nowhere"); });
}

TEST_F(Experiment, MissingMovie) {
  const DamagedData data(folder_);
  fs::remove(data.movie("s02e01a"));
  expect_error("run", {"s02e01a", "motion", "movie"}, {}, data.root());
  EXPECT_FALSE(fs::exists(folder_ / "out/features/motion/s01e01a.h5")) << "found before any work";
}

TEST_F(Experiment, TruncatedMovie) {
  const DamagedData data(folder_);
  const auto whole = DamagedData::content(data.movie("s02e01a"));
  DamagedData::write(data.movie("s02e01a"), whole.substr(0, whole.size() / 2));
  expect_error("extract", {"s02e01a.mkv", "truncated"}, {}, data.root());
}

TEST_F(Experiment, MovieThatIsNone) {
  const DamagedData data(folder_);
  DamagedData::write(data.movie("s02e01a"), "this is no movie");
  expect_error("extract", {"s02e01a.mkv"}, {}, data.root());
}

TEST_F(Experiment, NoAudioTrackWhereASpaceNeedsIt) {
  const DamagedData data(folder_);
  const auto movie = data.movie("s02e01a");
  const auto mute = folder_ / "mute.mkv";
  ASSERT_EQ(
      run_command({"ffmpeg", "-v", "error", "-i", movie.string(), "-an", "-c", "copy", mute.string()}).code,
      0);
  fs::rename(mute, movie);
  expect_error("extract", {"s02e01a", "audio", "no audio track"}, {}, data.root());
}

TEST_F(Experiment, TranscriptWithWrongColumns) {
  const DamagedData data(folder_);
  DamagedData::write(data.transcript("s01e01a"), "text\twords\nhello\tworld\n");
  expect_error("validate", {"s01e01a.tsv", "text_per_tr", "words"}, {}, data.root());
}

TEST_F(Experiment, TranscriptWithABrokenList) {
  const DamagedData data(folder_);
  DamagedData::write(
      data.transcript("s01e01a"),
      "text_per_tr\twords_per_tr\tonsets_per_tr\tdurations_per_tr\nhello\t['hello'\t[0.1]\t[0.2]\n");
  expect_error("validate", {"s01e01a.tsv", "2", "words_per_tr"}, {}, data.root());
}

TEST_F(Experiment, MovieAndFmriOfDifferentLengths) {
  const DamagedData data(folder_);
  const auto movie = data.movie("s02e01a");
  const auto shorter = folder_ / "short.mkv";
  ASSERT_EQ(run_command({"ffmpeg", "-v", "error", "-t", "20", "-i", movie.string(), shorter.string()}).code,
            0);
  fs::rename(shorter, movie);
  expect_error("validate", {"s02e01a.mkv", "task-s02e01a", "bold.h5", "tolerance_tr"}, {}, data.root());
}

TEST_F(Experiment, FmriFileThatIsTruncated) {
  const DamagedData data(folder_);
  const auto file = data.fmri(2, "task-friends");
  const auto whole = DamagedData::content(file);
  DamagedData::write(file, whole.substr(0, whole.size() / 2));
  expect_error("validate", {file.filename().string()}, {}, data.root());
}

TEST_F(Experiment, FmriWithNan) {
  const DamagedData data(folder_);
  const auto file = data.fmri(3, "task-friends");
  auto bytes = DamagedData::content(file);
  const io::Hdf5Reader reader(file);
  const auto name = reader.children().front();
  const MatrixF values = reader.read<float>("/" + name);
  // The stored numbers are found by their bytes, so that the file stays as the challenge's are.
  const std::string first(reinterpret_cast<const char*>(values.data()), 16);
  const auto at = bytes.find(first);
  ASSERT_NE(at, std::string::npos);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  bytes.replace(at + 4, 4, std::string(reinterpret_cast<const char*>(&nan), 4));
  DamagedData::write(file, bytes);
  fs::copy(shared_output(), folder_ / "out", fs::copy_options::recursive);
  expect_error("run", {file.filename().string(), name, "row 0", "nan"}, {}, data.root());
}

TEST_F(Experiment, FmriWithAnotherParcelCount) {
  const DamagedData data(folder_);
  const auto file = data.fmri(2, "task-friends");
  fs::remove(file);
  ASSERT_EQ(run_program({"synth", "--output", (folder_ / "other").string(), "--parcels", "8", "--run-tr",
                         "40", "--runs-per-season", "1", "--runs-per-movie", "1", "--width", "64", "--height",
                         "36", "--frame-rate", "10", "--subjects", "2"})
                .code,
            0);
  const auto folder = dataset::layout::fmri_folder(folder_ / "other", 2);
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().string().find("task-friends") != std::string::npos) fs::copy(entry.path(), file);
  }
  expect_error("validate", {"sub-02", "8", "30"}, {}, data.root());
}

TEST_F(Experiment, OutputFolderThatCannotBeMade) {
  expect_error("run", {"/proc/nothing"},
               [&](std::string& text) { replace(text, (folder_ / "out").string(), "/proc/nothing"); });
}

TEST_F(Experiment, FittedModelThatIsTruncated) {
  fs::copy(shared_output(), folder_ / "out", fs::copy_options::recursive);
  const auto file = folder_ / "out/ridge/audio/sub-01.h5";
  const auto whole = DamagedData::content(file);
  DamagedData::write(file, whole.substr(0, whole.size() / 2));
  expect_error("predict", {"ridge/audio/sub-01.h5", "truncated"});
}

}  // namespace
}  // namespace cinecortex::testing
