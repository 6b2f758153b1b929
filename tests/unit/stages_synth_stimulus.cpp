// What is shown and heard in a made-up movie follows its latents.
#include <gtest/gtest.h>

#include <cmath>

#include "../../src/stages/synth/narration.hpp"
#include "../../src/stages/synth/scene.hpp"
#include "../../src/stages/synth/soundtrack.hpp"

namespace {

using namespace cinecortex;
using namespace cinecortex::stages;
using namespace cinecortex::stages::synthetic;

constexpr double tr_s = 1.49;

PlannedRun a_run(const std::string& task = "s01e01a") {
  for (auto& run : plan_runs({})) {
    if (run.id.task == task) return run;
  }
  throw std::runtime_error("no run " + task);
}

TEST(SynthLatents, AreStandardisedSmoothAndBounded) {
  const auto run = a_run();
  const auto latents = draw_latents(3, run, tr_s);
  ASSERT_EQ(latents.visual.rows(), run.rows);
  ASSERT_EQ(latents.visual.cols(), visual_count);
  ASSERT_EQ(latents.auditory.cols(), auditory_count);
  for (Index i = 0; i < visual_count; ++i) {
    const auto column = latents.visual.col(i).array();
    EXPECT_NEAR(column.mean(), 0, 0.15);
    EXPECT_NEAR(std::sqrt(column.square().mean()), 0.9, 0.12);  // the soft bound takes a little
    EXPECT_LT(column.abs().maxCoeff(), 2.5);
    const auto n = column.size() - 1;
    EXPECT_GT((column.head(n) * column.tail(n)).mean(), 0.6) << "neighbouring TRs are alike";
  }
}

TEST(SynthLatents, OfAnotherRunDiffer) {
  const auto one = draw_latents(3, a_run("s01e01a"), tr_s), other = draw_latents(3, a_run("s01e01b"), tr_s);
  const Index rows = std::min(one.visual.rows(), other.visual.rows());
  EXPECT_GT((one.visual.topRows(rows) - other.visual.topRows(rows)).norm(), 1);
}

TEST(SynthLatents, InterpolationPassesThroughTheMiddlesOfTrs) {
  MatrixD latents(5, 1);
  latents << 1, -2, 3, 0.5, 4;
  for (Index row = 0; row < 5; ++row) {
    EXPECT_NEAR(at_time(latents, 0, static_cast<double>(row) + 0.5), latents(row, 0), 1e-12);
  }
  EXPECT_EQ(at_time(latents, 0, -3), 1);
  EXPECT_EQ(at_time(latents, 0, 99), 4);
  EXPECT_NEAR(at_time(latents, 0, 2.0), (9 * (-2.0 + 3.0) - 1.0 - 0.5) / 16, 1e-12);  // Catmull-Rom half-way
}

TEST(SynthLatents, LanguageIsCountedFromTheTranscript) {
  Transcript transcript(3);
  transcript[0] = {
      .text = "we go ", .words = {"we", "gone"}, .onsets_s = {0.5, 1.5}, .durations_s = {0.5, 1.0}};
  const MatrixD counts = count_language(transcript, 2.0);
  EXPECT_EQ(counts(0, 0), 2);
  EXPECT_EQ(counts(0, 1), 6);
  EXPECT_DOUBLE_EQ(counts(0, 2), 0.5);   // 0.5 s, and half of the second word
  EXPECT_DOUBLE_EQ(counts(1, 2), 0.25);  // its other half
  EXPECT_EQ(counts(0, 3), 3);
  EXPECT_EQ(counts.row(2).norm(), 0);
}

double luma(std::span<const std::uint8_t> pixels, std::size_t pixel) {
  return 0.299 * pixels[3 * pixel] + 0.587 * pixels[3 * pixel + 1] + 0.114 * pixels[3 * pixel + 2];
}

/// Contrast of the first grating over a second: standard deviation of luma at its centre.
double flicker(double latent) {
  SynthConfig config;
  auto run = a_run();
  MatrixD visual = MatrixD::Constant(run.rows, visual_count, -2.5);
  visual.col(0).setConstant(latent);
  Scene scene(config, run, visual);
  const auto pixel =
      static_cast<std::size_t>(static_cast<int>(0.28 * config.height) * config.width + config.width / 10);
  double sum = 0, squares = 0;
  constexpr int frames = 30;
  for (int i = 0; i < frames; ++i) {
    const double value = luma(scene.render(i / 30.0), pixel);
    sum += value;
    squares += value * value;
  }
  return std::sqrt(squares / frames - sum * sum / frames / frames);
}

TEST(SynthScene, ContrastIsLinearInTheLatent) {
  const double low = flicker(-2), middle = flicker(0), high = flicker(2);
  EXPECT_NEAR(middle, 255 * 0.15 / std::sqrt(2.0), 2);
  EXPECT_NEAR(high - middle, middle - low, 1.5);
  EXPECT_NEAR(high - middle, 255 * 0.12 / std::sqrt(2.0), 1.5);
}

TEST(SynthScene, CutsAndIsTheSameAgain) {
  SynthConfig config;
  const auto run = a_run();
  const auto latents = draw_latents(3, run, tr_s);
  Scene scene(config, run, latents.visual), again(config, run, latents.visual);
  std::vector<std::uint8_t> before;
  double largest_change = 0;
  for (int i = 0; i < 300; ++i) {
    const auto frame = scene.render(i / 15.0);
    const auto same = again.render(i / 15.0);
    ASSERT_TRUE(std::equal(frame.begin(), frame.end(), same.begin(), same.end()));
    if (!before.empty()) {
      double change = 0;
      for (std::size_t p = 0; p < frame.size(); ++p) change += std::abs(double(frame[p]) - double(before[p]));
      largest_change = std::max(largest_change, change / double(frame.size()));
    }
    before.assign(frame.begin(), frame.end());
  }
  EXPECT_GT(largest_change, 8) << "in 20 s there is a cut";
}

TEST(SynthScene, WorksAtAnySize) {
  SynthConfig config;
  config.width = 38;
  config.height = 90;
  const auto run = a_run();
  const auto latents = draw_latents(3, run, tr_s);
  Scene scene(config, run, latents.visual);
  EXPECT_EQ(scene.render(0).size(), 3U * 38 * 90);
}

double root_mean_square(const std::vector<float>& samples) {
  double power = 0;
  for (const float value : samples) power += double(value) * double(value);
  return std::sqrt(power / double(samples.size()));
}

TEST(SynthSoundtrack, LogAmplitudeIsLinearInTheLatent) {
  const Soundtrack soundtrack(3);
  const auto run = a_run();
  for (Index band = 0; band < auditory_count; ++band) {
    const auto level = [&](double latent) {
      MatrixD auditory = MatrixD::Constant(run.rows, auditory_count, -40);  // the others are silent
      auditory.col(band).setConstant(latent);
      return root_mean_square(soundtrack.mix(run, auditory, tr_s, {}));
    };
    EXPECT_NEAR(std::log(level(1) / level(0)), 0.6, 0.01);
    EXPECT_NEAR(std::log(level(-2) / level(0)), -1.2, 0.01);
  }
}

TEST(SynthSoundtrack, HasTheRunsLengthAndTheSpeech) {
  const Soundtrack soundtrack(3);
  const auto run = a_run();
  const MatrixD silent = MatrixD::Constant(run.rows, auditory_count, -40);
  const std::vector<float> speech(1000, 0.25F);
  const auto sound = soundtrack.mix(run, silent, tr_s, speech);
  EXPECT_EQ(static_cast<Index>(sound.size()), std::llround(run.duration_s * audio_rate_hz));
  EXPECT_NEAR(sound[500], 0.25, 1e-3);
  EXPECT_NEAR(sound[2000], 0, 1e-3);
}

TEST(SynthScript, GoesFromShortWordsToLongOnes) {
  const auto script = write_script();
  const auto length = [](const std::vector<std::string>& words) {
    double characters = 0;
    for (const auto& word : words) characters += double(word.size());
    return characters / double(words.size());
  };
  double first = 0, last = 0;
  for (std::size_t i = 0; i < 20; ++i) {
    first += length(script[i]) / 20;
    last += length(script[script.size() - 1 - i]) / 20;
  }
  EXPECT_LT(first, 4);
  EXPECT_GT(last, 8);
}

/// A book of two phrases without the library.
std::vector<SpokenPhrase> small_book() {
  const auto phrase = [](std::vector<std::string> words) {
    SpokenPhrase spoken{.words = std::move(words), .onsets_s = {}, .durations_s = {}, .samples = {}};
    for (std::size_t i = 0; i < spoken.words.size(); ++i) {
      spoken.onsets_s.push_back(0.4 * double(i));
      spoken.durations_s.push_back(0.4);
    }
    spoken.samples.assign(static_cast<std::size_t>(0.4 * double(spoken.words.size()) * audio_rate_hz), 1.0F);
    return spoken;
  };
  return {phrase({"we", "go", "on."}), phrase({"astronomers", "remember", "thunderstorms."})};
}

TEST(SynthNarration, WordsStandInTheTrTheyBeginIn) {
  const auto run = a_run();
  const auto latents = draw_latents(3, run, tr_s);
  const auto narration = narrate(3, run, latents.talk, tr_s, small_book());
  ASSERT_EQ(static_cast<Index>(narration.transcript.size()), run.rows);
  double before_s = -1;
  Index words = 0, empty_rows = 0;
  for (std::size_t row = 0; row < narration.transcript.size(); ++row) {
    const auto& line = narration.transcript[row];
    ASSERT_EQ(line.words.size(), line.onsets_s.size());
    ASSERT_EQ(line.words.size(), line.durations_s.size());
    std::string text;
    for (std::size_t i = 0; i < line.words.size(); ++i) {
      EXPECT_GE(line.onsets_s[i], double(row) * tr_s);
      EXPECT_LT(line.onsets_s[i], double(row + 1) * tr_s);
      EXPECT_GT(line.onsets_s[i], before_s);
      before_s = line.onsets_s[i];
      EXPECT_LE(line.onsets_s[i] + line.durations_s[i], run.duration_s);
      // The sound is there while the word is spoken.
      const double middle_s = line.onsets_s[i] + line.durations_s[i] / 2;
      EXPECT_GT(narration.samples[static_cast<std::size_t>(middle_s * audio_rate_hz)], 0.0F);
      text += line.words[i] + ' ';
    }
    EXPECT_EQ(line.text, text);
    words += static_cast<Index>(line.words.size());
    empty_rows += line.words.empty() ? 1 : 0;
  }
  EXPECT_GT(words, 60);
  EXPECT_GT(empty_rows, 5) << "there are silent stretches";
}

TEST(SynthSpeech, TheBooksWordTimesAreThoseOfTheSound) {
  if (!can_speak()) {
    EXPECT_THROW(phrase_book(), InputError);
    return;
  }
  const auto& book = phrase_book();
  ASSERT_EQ(book.size(), write_script().size());
  double shortest = 0;
  for (const auto& phrase : book) {
    EXPECT_GE(phrase.mean_word_length(), shortest);
    shortest = phrase.mean_word_length();
    ASSERT_EQ(phrase.onsets_s.size(), phrase.words.size());
    double end_s = 0;
    for (std::size_t i = 0; i < phrase.words.size(); ++i) {
      EXPECT_GE(phrase.onsets_s[i], end_s - 0.031) << phrase.words[i];
      EXPECT_GT(phrase.durations_s[i], 0.02) << phrase.words[i];
      EXPECT_LT(phrase.durations_s[i], 1.5) << phrase.words[i];
      end_s = phrase.onsets_s[i] + phrase.durations_s[i];
    }
    EXPECT_NEAR(end_s, phrase.seconds(), 0.031);
    EXPECT_NEAR(root_mean_square(phrase.samples), 1, 1e-3);
  }
}

}  // namespace
