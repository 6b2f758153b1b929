#include <cmath>
#include <complex>
#include <numbers>

#include "cinecortex/models/log_mel.hpp"
#include "models_testing.hpp"

namespace cinecortex::models {
namespace {

using testing::expect_message;
using testing::MadeUpRun;

std::vector<float> tone(double hz, double seconds, double amplitude = 0.5) {
  std::vector<float> samples;
  for (Index i = 0; i < std::llround(seconds * 16000); ++i) {
    samples.push_back(
        static_cast<float>(amplitude * std::sin(2 * std::numbers::pi * hz * static_cast<double>(i) / 16000)));
  }
  return samples;
}

/// The definition, term by term.
double plain_log_mel(const LogMel& mel, const std::vector<float>& audio, Index frame, Index band) {
  const auto& s = mel.settings();
  double energy = 0;
  for (Index bin = 0; bin < mel.filters().cols(); ++bin) {
    std::complex<double> sum = 0;
    for (Index i = 0; i < s.window; ++i) {
      const Index at = frame * s.hop - s.window / 2 + i;
      if (at < 0 || at >= static_cast<Index>(audio.size())) continue;
      const double hann = 0.5 - 0.5 * std::cos(2 * std::numbers::pi * double(i) / double(s.window));
      const double angle = -2 * std::numbers::pi * double(bin) * double(i) / double(mel.fft_size());
      sum += hann * audio[static_cast<std::size_t>(at)] * std::polar(1.0, angle);
    }
    energy += mel.filters()(band, bin) * std::norm(sum);
  }
  return std::log(std::max(energy, 1e-10));
}

TEST(LogMel, EqualsThePlainDefinition) {
  MadeUpRun run(1.49, 0.5);
  const auto& audio = run.audio();
  for (const auto scale : {MelScale::slaney, MelScale::htk}) {
    LogMelSettings settings;
    settings.bands = 21;
    settings.window = 301;  // odd, and not the size of the transform
    settings.hop = 123;
    settings.scale = scale;
    settings.f_min_hz = 60;
    settings.f_max_hz = 7000;
    const LogMel mel(settings);
    EXPECT_EQ(mel.fft_size(), 512);
    const Index frames = 67;  // the last ones lie behind the sound's end
    MatrixF bands(frames, settings.bands);
    mel.compute(audio, {0, frames}, bands);
    for (const Index frame : {0, 1, 30, 64, 66}) {
      for (Index band = 0; band < settings.bands; ++band) {
        EXPECT_NEAR(bands(frame, band), plain_log_mel(mel, audio, frame, band), 2e-3) << frame << ' ' << band;
      }
    }
  }
}

TEST(LogMel, ScalesAreThePublishedOnes) {
  // Peaks of the bands: librosa.mel_frequencies(10, fmin=0, fmax=8000, htk=…) without the two ends.
  const std::vector<double> slaney{335.2, 670.3, 1005.6, 1420.9, 2007.5, 2836.4, 4007.5, 5662.2};
  const std::vector<double> htk{226.2, 525.5, 921.5, 1445.4, 2138.6, 3055.9, 4269.5, 5875.3};
  LogMelSettings settings;
  settings.window = 8192;
  settings.bands = 8;
  const double bin_hz = 16000.0 / 8192;
  for (const auto scale : {MelScale::slaney, MelScale::htk}) {
    settings.scale = scale;
    const LogMel mel(settings);
    const auto& peaks = scale == MelScale::slaney ? slaney : htk;
    for (Index band = 0; band < 8; ++band) {
      Index bin = 0;
      const float height = mel.filters().row(band).maxCoeff(&bin);
      EXPECT_NEAR(double(bin) * bin_hz, peaks[static_cast<std::size_t>(band)], bin_hz) << band;
      if (scale == MelScale::htk) {
        EXPECT_NEAR(height, 1.0, 0.02) << band;
      } else {
        EXPECT_NEAR(mel.filters().row(band).sum() * bin_hz, 1.0, 1e-3) << "area of band " << band;
      }
    }
  }
}

TEST(AudioEnergy, ATonePeaksInItsBandAndSilenceIsTheFloor) {
  ModelConfig config;
  config.model = "audio_energy";
  const auto extractor = make_extractor(config);
  ASSERT_EQ(extractor->readings()[0].width, 128);
  ASSERT_EQ(extractor->readings()[0].columns[3], "mel3 mean");
  ASSERT_EQ(extractor->readings()[0].columns[64], "mel0 sd");
  const LogMel mel(LogMelSettings{});
  for (const double hz : {150.0, 440.0, 1000.0, 3100.0, 7000.0}) {
    MadeUpRun run(1.49, 4.47);
    run.audio() = tone(hz, 2.98);  // the third TR is silent
    const MatrixF rows = run.extract(*extractor, {0, 3}, 3);
    Index peak = 0;
    rows.row(1).head(64).maxCoeff(&peak);
    const auto bin = static_cast<Index>(std::lround(hz / 31.25));
    EXPECT_GT(mel.filters()(peak, bin), 0) << hz << " Hz peaks in band " << peak;
    // A steady tone: the bands near it hardly move.
    EXPECT_LT(rows(1, 64 + peak), 0.05f) << hz;
    // The last window that hears the tone is half a window behind its end.
    EXPECT_GT(rows(2, peak), std::log(1e-10f));
    const MatrixF silent = run.extract(*extractor, {2, 3}, 1);
    EXPECT_LT(silent(0, 63), -22.5f);
  }
  MadeUpRun run(1.49, 2.98);
  std::fill(run.audio().begin(), run.audio().end(), 0.0f);
  const MatrixF rows = run.extract(*extractor, {0, 2}, 2);
  EXPECT_LE((rows.leftCols(64).array() - std::log(1e-10f)).abs().maxCoeff(), 1e-5f);
  EXPECT_TRUE((rows.rightCols(64).array() == 0).all()) << "a constant band has exactly no deviation";
}

TEST(AudioEnergy, MeanAndDeviationAreOverTheFramesOfATr) {
  ModelConfig config;
  config.model = "audio_energy";
  config.options = {{"bands", std::int64_t{9}}, {"hop_ms", 20.0}};
  MadeUpRun run(1.49, 4.47);
  const auto extractor = make_extractor(config);
  const MatrixF rows = run.extract(*extractor, {1, 2}, 1);
  LogMelSettings settings;
  settings.bands = 9;
  settings.hop = 320;
  // Frames centred in [1.49 s, 2.98 s): 75 (1.5 s) to 148 (2.96 s).
  MatrixF frames(74, 9);
  LogMel(settings).compute(run.audio(), {75, 149}, frames);
  const Eigen::RowVectorXf mean = frames.colwise().mean();
  EXPECT_LE((rows.leftCols(9) - mean).cwiseAbs().maxCoeff(), 1e-4f);
  for (Index band = 0; band < 9; ++band) {
    const float sd = std::sqrt((frames.col(band).array() - mean[band]).square().mean());
    EXPECT_NEAR(rows(0, 9 + band), sd, 1e-4f);
  }
}

TEST(AudioEnergy, ChunksDoNotMatter) {
  ModelConfig config;
  config.model = "audio_energy";
  config.options = {{"bands", std::int64_t{20}}, {"hop_ms", 7.3}};
  MadeUpRun run(1.49, 13.1);
  const auto extractor = make_extractor(config);
  ASSERT_EQ(extractor->rows(run.info()), 9);
  testing::expect_chunks_do_not_matter(run, *extractor, 9);
}

TEST(AudioEnergy, RefusesWhatCannotBe) {
  const auto with = [](const std::string& name, const Option& value) {
    return [=] {
      ModelConfig config;
      config.model = "audio_energy";
      config.options[name] = value;
      make_extractor(config);
    };
  };
  expect_message(with("band", std::int64_t{3}), {"audio_energy", "band", "did you mean bands?"});
  expect_message(with("bands", std::int64_t{0}), {"bands", "0 is not allowed", "1 to 512"});
  expect_message(with("bands", 6.5), {"6.5 is a number", "a whole number"});
  expect_message(with("bands", std::int64_t{500}), {"bands = 500", "mel band", "fewer bands"});
  expect_message(with("f_max_hz", 0.0), {"f_max_hz", "more than f_min_hz = 0"});
  expect_message(with("mel", std::string("slany")), {"did you mean \"slaney\""});
  expect_message(with("window_ms", std::string("long")), {"\"long\" is a text", "a number"});

  ModelConfig config;
  config.model = "audio_energy";
  const auto extractor = make_extractor(config);
  MadeUpRun run(1.49, 2.98);
  run.audio().clear();
  expect_message([&] { run.extract(*extractor, {0, 1}, 1); }, {"s01e01a", "sound"});
}

}  // namespace
}  // namespace cinecortex::models
