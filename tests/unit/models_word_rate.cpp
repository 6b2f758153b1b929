#include "models_testing.hpp"

namespace cinecortex::models {
namespace {

using testing::expect_message;
using testing::MadeUpRun;

ModelConfig model() {
  ModelConfig config;
  config.model = "word_rate";
  config.tr_s = 1.5;
  return config;
}

MadeUpRun run_of(Transcript transcript) {
  MadeUpRun run(1.5, 0);
  run.transcript() = std::move(transcript);
  run.info().transcript_rows = static_cast<Index>(run.transcript().size());
  return run;
}

Transcript hand_made() {
  return {
      {" Où est-il?",
       {"Où", "est-il?"},
       {0.25, 0.5},
       {0.5, 0.25}},  // 2 and 7 characters, overlapping in time
      {"", {}, {}, {}},
      {" \xF0\x9F\x98\x80 naïveté",
       {"\xF0\x9F\x98\x80", "naïveté"},
       {3.0, 4.0},
       {0.5, 1.0}},  // runs into the next TR
      {"", {}, {}, {}},
      {" I I I", {"I", "I", "I"}, {6.0, 6.0, 6.5}, {1.5, 0.2, 0.0}},
  };
}

TEST(WordRate, DescribesHandMadeRows) {
  const auto run = run_of(hand_made());
  const auto extractor = make_extractor(model());
  const auto& reading = extractor->readings().at(0);
  ASSERT_EQ(reading.width, 6);
  EXPECT_EQ(reading.columns,
            (std::vector<std::string>{"words", "characters", "speech_fraction", "word_length_mean",
                                      "word_length_sd", "word_length_max"}));
  const RunInfo info{.run = "", .transcript_rows = 5};
  EXPECT_EQ(extractor->rows(info), 5);
  const MatrixF rows = run.extract(*extractor, {0, 5}, 5);
  MatrixF expected(5, 6);
  expected << 2, 9, 0.5f / 1.5f, 4.5f, 2.5f, 7,  //
      0, 0, 0, 0, 0, 0,                          //
      2, 8, 1.0f / 1.5f, 4, 3, 7,                //
      0, 0, 0.5f / 1.5f, 0, 0, 0,                // the end of the third row's last word
      3, 3, 1, 1, 0, 1;
  EXPECT_LE((rows - expected).cwiseAbs().maxCoeff(), 1e-6f) << rows;
}

TEST(WordRate, ChunksDoNotMatter) {
  const auto extractor = make_extractor(model());
  testing::expect_chunks_do_not_matter(run_of(hand_made()), *extractor, 5);
}

TEST(WordRate, WordsWithoutATimeCountButDoNotSound) {
  const double unknown = std::nan("");
  const auto run = run_of({{"a b", {"a", "b"}, {unknown, 0.5}, {0.2, unknown}}});
  const auto extractor = make_extractor(model());
  const MatrixF rows = run.extract(*extractor, {0, 1}, 1);
  EXPECT_EQ(rows(0, 0), 2);
  EXPECT_EQ(rows(0, 2), 0);
}

TEST(WordRate, RefusesUnequalLists) {
  const auto extractor = make_extractor(model());
  const auto run = run_of({{"", {}, {}, {}}, {"a b", {"a", "b"}, {1.6}, {0.1, 0.1}}});
  expect_message([&] { run.extract(*extractor, {0, 1}, 1); }, {"s01e01a", "row 2", "2 words", "1 onsets"});
  expect_message([&] { run.extract(*extractor, {0, 3}, 3); }, {"s01e01a", "3 transcript rows", "2"});
}

}  // namespace
}  // namespace cinecortex::models
