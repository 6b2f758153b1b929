// A small data set in the challenge's layout, written by all ranks together, then found and read again by
// each.
#include "cinecortex/dataset/catalogue.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <optional>

#include "cinecortex/dataset/responses.hpp"
#include "cinecortex/dataset/transcript.hpp"
#include "cinecortex/io/hdf5.hpp"
#include "cinecortex/io/pickle.hpp"
#include "temp_folder.hpp"

namespace cinecortex::dataset {
namespace {

namespace fs = std::filesystem;
using parallel::Communicator;

constexpr Index parcels = 7;

/// Response of a data set: known from its place, so that a slice can be checked without the file.
float response(Index row, Index parcel, int shown) {
  return static_cast<float>(shown) * 100.0F + static_cast<float>(row) + static_cast<float>(parcel) / 8.0F;
}

/// One folder for all ranks, removed by rank 0 when all are done with it.
class SharedFolder {
 public:
  SharedFolder() {
    std::string path;
    if (comm_.root()) path = folder_.emplace().path().string();
    comm_.broadcast(path);
    path_ = path;
  }
  ~SharedFolder() { comm_.barrier(); }
  SharedFolder(const SharedFolder&) = delete;
  SharedFolder& operator=(const SharedFolder&) = delete;
  const fs::path& path() const { return path_; }
  const Communicator& comm() const { return comm_; }

 private:
  Communicator comm_ = Communicator::world();
  std::optional<testing::TempFolder> folder_;
  fs::path path_;
};

struct Shown {
  std::string dataset;
  Index rows = 0;
  int shown = 1;
};

void write_fmri(const SharedFolder& folder, int subject, Collection collection,
                const std::vector<Shown>& list, Index width = parcels, float spoil = 0) {
  io::Hdf5Writer writer(layout::fmri_file(folder.path(), subject, collection, width), folder.comm(), {});
  for (const Shown& one : list) {
    MatrixF values(one.rows, width);
    for (Index row = 0; row < one.rows; ++row) {
      for (Index parcel = 0; parcel < width; ++parcel) values(row, parcel) = response(row, parcel, one.shown);
    }
    if (spoil != 0) values(3, 5) = spoil;
    io::DatasetOptions options;
    options.attributes = {{"description", std::string("BOLD")}};
    writer.create("/" + one.dataset, {one.rows, width}, options);
    const Range mine = partition(one.rows, folder.comm().size(), folder.comm().rank());
    writer.write<float>("/" + one.dataset, values.middleRows(mine.begin, mine.size()), mine.begin, 0);
  }
  writer.commit();
}

void touch(const fs::path& file) {
  fs::create_directories(file.parent_path());
  std::ofstream(file) << "x";
}

RunId friends(const std::string& task) {
  return parse_task(task, Collection::friends).value();
}
RunId movie10(const std::string& task) {
  return parse_task(task, Collection::movie10).value();
}
RunId ood(const std::string& task) {
  return parse_task(task, Collection::ood).value();
}

/// Two subjects; sub-02 lacks s01e01b; figures01 shown twice, out of order in the file; chaplin has no TSV.
void write_data_set(const SharedFolder& folder) {
  if (folder.comm().root()) {
    for (const std::string task : {"s01e01a", "s01e01b", "s07e01a"}) {
      touch(layout::movie(folder.path(), friends(task)));
      touch(layout::transcript(folder.path(), friends(task)));
    }
    touch(layout::movie(folder.path(), movie10("figures01")));
    touch(layout::transcript(folder.path(), movie10("figures01")));
    touch(layout::movie(folder.path(), ood("chaplin1")));
    touch(folder.path() / "stimuli/movies/friends/s1/notes.txt");
    touch(folder.path() / "stimuli/movies/friends/s2/friends_s01e09a.mkv");  // in the wrong season's folder
    touch(layout::atlas(folder.path(), 1, parcels));
    for (const int subject : {1, 2}) {
      io::write_pickled_counts(layout::sample_numbers(folder.path(), subject, "friends-s7"),
                               {{"s07e01a", 460 + subject}});
      io::write_pickled_counts(layout::sample_numbers(folder.path(), subject, "ood"), {{"chaplin1", 432}});
    }
  }
  folder.comm().barrier();
  write_fmri(folder, 1, Collection::friends, {{"ses-001_task-s01e01a", 11}, {"ses-002_task-s01e01b", 13}});
  write_fmri(folder, 2, Collection::friends, {{"ses-001_task-s01e01a", 12}});
  for (const int subject : {1, 2}) {
    write_fmri(folder, subject, Collection::movie10,
               {{"ses-003_task-figures01_run-2", 9, 3}, {"ses-004_task-figures01_run-1", 10, 1}});
  }
}

template <class Fn>
std::string input_error(Fn&& fn) {
  try {
    fn();
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

void expect_contains(const std::string& text, const std::vector<std::string>& parts) {
  for (const auto& part : parts)
    EXPECT_NE(text.find(part), std::string::npos) << '"' << part << "\" in: " << text;
}

TEST(Catalogue, FindsEveryRunWithItsFiles) {
  const SharedFolder folder;
  write_data_set(folder);
  const auto catalogue = scan(folder.path(), {1, 2});
  std::vector<std::string> names;
  for (const dataset::Run& run : catalogue.runs) names.push_back(run.id.qualified());
  EXPECT_EQ(names, (std::vector<std::string>{"friends:s01e01a", "friends:s01e01b", "friends:s07e01a",
                                             "movie10:figures01", "ood:chaplin1"}));
  EXPECT_EQ(catalogue.targets, (std::map<int, Index>{{1, parcels}, {2, parcels}}));
  EXPECT_EQ(catalogue.atlas.size(), 1U);
  const dataset::Run missing;
  const auto run = [&](const char* task) -> const dataset::Run& {
    const dataset::Run* found = catalogue.find(task);
    EXPECT_NE(found, nullptr) << task;
    return found == nullptr ? missing : *found;
  };
  EXPECT_EQ(run("s01e01a").movie, layout::movie(folder.path(), friends("s01e01a")));
  EXPECT_EQ(run("s01e01a").transcript, layout::transcript(folder.path(), friends("s01e01a")));
  EXPECT_EQ(run("s01e01a").rows(1), 11);
  EXPECT_EQ(run("s01e01a").rows(2), 12);
  EXPECT_EQ(run("s01e01b").rows(2), 0);
  EXPECT_EQ(run("s07e01a").rows(1), 461);
  EXPECT_EQ(run("s07e01a").rows(2), 462);
  EXPECT_EQ(run("chaplin1").rows(2), 432);
  EXPECT_TRUE(run("chaplin1").transcript.empty());
  EXPECT_EQ(run("figures01").rows(1), 10);
  const auto shown = run("figures01").fmri.find(1);
  EXPECT_NE(shown, run("figures01").fmri.end());
  if (shown != run("figures01").fmri.end()) {
    EXPECT_EQ(shown->second.size(), 2U);
    EXPECT_EQ(shown->second.front().dataset, "ses-004_task-figures01_run-1");
  }
}

TEST(Responses, AveragesOrKeepsRepeats) {
  const SharedFolder folder;
  write_data_set(folder);
  const auto catalogue = scan(folder.path(), {1, 2});
  const dataset::Run* run = catalogue.find("figures01");
  EXPECT_NE(run, nullptr);
  if (run != nullptr) {
    const auto mean = read_responses(*run, 2, {2, 6}, Repeats::average);
    EXPECT_EQ(mean.size(), 1U);
    EXPECT_EQ(mean.front().rows(), 9);  // the shorter of the two
    EXPECT_EQ(mean.front().cols(), 4);
    EXPECT_FLOAT_EQ(mean.front()(4, 1), (response(4, 3, 1) + response(4, 3, 3)) / 2);
    const auto both = read_responses(*run, 2, {2, 6}, Repeats::keep);
    EXPECT_EQ(both.size(), 2U);
    EXPECT_EQ(both.front().rows(), 10);
    EXPECT_EQ(both.back().rows(), 9);
    EXPECT_EQ(both.back()(8, 3), response(8, 5, 3));
    EXPECT_EQ(read_responses(*run, 2, {3, 3}, Repeats::average).front().cols(), 0);
  }
  const dataset::Run* gap = catalogue.find("s01e01b");
  EXPECT_NE(gap, nullptr);
  if (gap != nullptr) {
    expect_contains(input_error([&] {
                      read_responses(*gap, 2, {0, 3}, Repeats::average);
                    }),
                    {"s01e01b", "sub-02"});
  }
}

TEST(Responses, NamesWhereANumberIsMissing) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    const SharedFolder folder;
    write_fmri(folder, 1, Collection::friends, {{"ses-001_task-s01e01a", 11}}, parcels, bad);
    const auto catalogue = scan(folder.path(), {1});
    const dataset::Run* run = catalogue.find("s01e01a");
    EXPECT_NE(run, nullptr);
    if (run == nullptr) continue;
    expect_contains(input_error([&] {
                      read_responses(*run, 1, {4, 7}, Repeats::average);
                    }),
                    {"sub-01_task-friends", "ses-001_task-s01e01a", "row 3", "parcel 5"});
    EXPECT_EQ(read_responses(*run, 1, {0, 5}, Repeats::average).front()(3, 4), response(3, 4, 1));
  }
}

TEST(Catalogue, RefusesWhatCannotBe) {
  const SharedFolder folder;
  write_data_set(folder);
  expect_contains(input_error([&] { scan(folder.path() / "gone", {1}); }), {"gone", "no such folder"});
  expect_contains(input_error([&] {
                    scan(folder.path(), {1, 4});
                  }),
                  {"subject 4", "sub-04", "sub-01, sub-02"});
  expect_contains(input_error([&] { scan(folder.path(), {1, 1}); }), {"twice"});
  expect_contains(input_error([&] { scan(folder.path(), {}); }), {"no subjects"});

  write_fmri(folder, 3, Collection::friends, {{"ses-001_task-s01e01a", 11}}, 6);
  expect_contains(input_error([&] {
                    scan(folder.path(), {1, 2, 3});
                  }),
                  {"parcel", "sub-01 has 7", "sub-03 has 6", "sub-03_task-friends"});
  write_fmri(folder, 3, Collection::movie10, {{"ses-001_task-bourne01", 11}}, 5);
  expect_contains(input_error([&] { scan(folder.path(), {3}); }), {"bourne01", "5 parcels", "6"});
}

TEST(Catalogue, NamesFilesThatCannotBeRead) {
  const SharedFolder folder;
  write_data_set(folder);
  const auto counts = layout::sample_numbers(folder.path(), 1, "friends-s7");
  if (folder.comm().root()) io::write_pickled_counts(counts, {{"seven", 460}});
  folder.comm().barrier();
  expect_contains(input_error([&] { scan(folder.path(), {1, 2}); }), {counts.filename().string(), "seven"});
  folder.comm().barrier();
  if (folder.comm().root()) io::write_pickled_counts(counts, {{"s07e01a", 0}});
  folder.comm().barrier();
  expect_contains(input_error([&] { scan(folder.path(), {1, 2}); }), {counts.filename().string(), "above 0"});
  folder.comm().barrier();
  const auto fmri = layout::fmri_file(folder.path(), 1, Collection::friends, parcels);
  if (folder.comm().root()) fs::resize_file(fmri, fs::file_size(fmri) / 2);
  folder.comm().barrier();
  expect_contains(input_error([&] { scan(folder.path(), {1, 2}); }), {fmri.filename().string(), "truncated"});
}

}  // namespace
}  // namespace cinecortex::dataset
