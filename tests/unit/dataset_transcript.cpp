// Transcripts: what is written reads back, what pandas writes is read, what is broken is named with its
// place.
#include "cinecortex/dataset/transcript.hpp"

#include <gtest/gtest.h>

#include "dataset_support.hpp"

namespace cinecortex::dataset {
namespace {

using test::expect_contains;
using test::input_error;
using test::TempFolder;

const std::string header = "text_per_tr\twords_per_tr\tonsets_per_tr\tdurations_per_tr\n";

TEST(Transcript, ReadsWhatTheChallengeWrites) {
  const TempFolder folder;
  test::write_text(
      folder / "t.tsv",
      "\twords_per_tr\tonsets_per_tr\tdurations_per_tr\ttext_per_tr\n"
      "0\t[]\t[]\t[]\t\n"
      "1\t\"['So', \"\"don't\"\", 'caf\u00e9']\"\t[1.5, 2, 2.9]\t[0.2, 0.30000000000000004, 0.0]\tSo don't "
      "caf\u00e9\n"
      "2\t\t\t\t\n");
  const auto rows = read_transcript(folder / "t.tsv");
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_TRUE(rows[0].text.empty() && rows[0].words.empty() && rows[0].onsets_s.empty());
  EXPECT_EQ(rows[1].text, "So don't caf\u00e9");
  EXPECT_EQ(rows[1].words, (std::vector<std::string>{"So", "don't", "caf\u00e9"}));
  EXPECT_EQ(rows[1].onsets_s, (std::vector<double>{1.5, 2, 2.9}));
  EXPECT_EQ(rows[1].durations_s, (std::vector<double>{0.2, 0.1 + 0.2, 0}));
  EXPECT_TRUE(rows[2].words.empty());
}

TEST(Transcript, RoundTrip) {
  const TempFolder folder;
  const Transcript written{{"", {}, {}, {}},
                           {"He said \"no\",\tthen 'yes'.",
                            {"He", "said", "\"no\",", "then", "'yes'.", "it's \"odd\""},
                            {0.1, 1.0 / 3, 2, 3e-7, 4.25, 5},
                            {0, 0.1, 0.2, 0.3, 1e3, 0.5}},
                           {" back\\slash \u4f60\u597d", {"back\\slash", "\u4f60\u597d"}, {7, 8}, {1, 1}},
                           {"", {}, {}, {}}};
  write_transcript(folder / "t.tsv", written);
  const auto read = read_transcript(folder / "t.tsv");
  ASSERT_EQ(read.size(), written.size());
  for (std::size_t i = 0; i < read.size(); ++i) {
    EXPECT_EQ(read[i].text, written[i].text);
    EXPECT_EQ(read[i].words, written[i].words);
    EXPECT_EQ(read[i].onsets_s, written[i].onsets_s);
    EXPECT_EQ(read[i].durations_s, written[i].durations_s);
  }
  EXPECT_FALSE(std::filesystem::exists(folder / "t.tsv.partial"));
}

TEST(Transcript, NamesThePlaceOfWhatIsBroken) {
  const TempFolder folder;
  const auto file = folder / "bad.tsv";
  const auto message = [&](const std::string& content) {
    test::write_text(file, content);
    return input_error([&] { read_transcript(file); });
  };
  expect_contains(message("text\twords_per_tr\tonsets_per_tr\tdurations_per_tr\n\t[]\t[]\t[]\n"),
                  {"bad.tsv", "text_per_tr", "the columns are text, words_per_tr"});
  expect_contains(message(header + "a\t['a']\t[1]\t[1]\nb\t['b\t[1]\t[1]\n"),
                  {"bad.tsv", "line 3", "words_per_tr"});
  expect_contains(message(header + "a\t['a']\t[1, x]\t[1]\n"), {"bad.tsv", "line 2", "onsets_per_tr"});
  expect_contains(message(header + "a b\t['a', 'b']\t[1, 2]\t[1]\n"),
                  {"bad.tsv", "line 2", "2 words", "2 onsets", "1 durations"});
  expect_contains(message(header + "a\t['a']\t[1]\n"), {"bad.tsv", "line 2", "3 fields"});
  expect_contains(message(""), {"bad.tsv", "header"});
  expect_contains(input_error([&] { read_transcript(folder / "gone.tsv"); }), {"gone.tsv"});
  expect_contains(input_error([&] { write_transcript(folder / "no" / "t.tsv", {}); }),
                  {"t.tsv", "cannot be written"});
}

}  // namespace
}  // namespace cinecortex::dataset
