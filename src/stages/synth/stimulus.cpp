#include "stimulus.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <system_error>

#include "cinecortex/core/error.hpp"
#include "cinecortex/core/interrupt.hpp"
#include "cinecortex/dataset/catalogue.hpp"
#include "cinecortex/dataset/movie.hpp"
#include "cinecortex/dataset/transcript.hpp"
#include "narration.hpp"
#include "scene.hpp"

namespace cinecortex::stages::synthetic {
namespace {

/// Enough that the gratings' contrast survives the encoder at any size.
constexpr double bits_per_pixel = 0.6;

dataset::MovieWriter::Settings movie_settings(const SynthConfig& config) {
  const double bits_per_s = bits_per_pixel * config.width * config.height * config.frame_rate_hz;
  return {.width = config.width,
          .height = config.height,
          .frame_rate_hz = config.frame_rate_hz,
          .audio_rate_hz = audio_rate_hz,
          .video_bitrate_kbps = static_cast<int>(std::ceil(bits_per_s / 1000))};
}

void write_movie(const SynthConfig& config, const PlannedRun& run, const MatrixD& visual,
                 const std::vector<float>& sound) {
  const auto file = dataset::layout::movie(config.root, run.id);
  make_folder(file.parent_path());
  dataset::MovieWriter writer(file, movie_settings(config));
  Scene scene(config, run, visual);
  const Index frames = std::llround(run.duration_s * config.frame_rate_hz);
  std::span<const float> left(sound);
  const auto add_sound_until = [&](double time_s) {
    const auto wanted = static_cast<std::size_t>(std::llround(time_s * audio_rate_hz));
    const std::size_t given = sound.size() - left.size();
    const std::size_t count = std::min(wanted - std::min(given, wanted), left.size());
    writer.add_audio(left.first(count));
    left = left.subspan(count);
  };
  for (Index i = 0; i < frames; ++i) {
    const double time_s = static_cast<double>(i) / config.frame_rate_hz;
    writer.add_frame(scene.render(time_s));
    // A second of each in turn, so that the file is interleaved as players expect.
    if (i % static_cast<Index>(std::ceil(config.frame_rate_hz)) == 0) {
      interrupt::check();
      add_sound_until(time_s);
    }
  }
  add_sound_until(run.duration_s);
  writer.finish();
}

}  // namespace

void make_folder(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error)
    throw InputError(fmt::format("{}: the folder cannot be made: {}", folder.string(), error.message()));
}

bool stimulus_is_there(const SynthConfig& config, const PlannedRun& run) {
  return std::filesystem::exists(dataset::layout::movie(config.root, run.id)) &&
         (!run.speech || std::filesystem::exists(dataset::layout::transcript(config.root, run.id)));
}

void make_stimulus(const SynthConfig& config, const PlannedRun& run, const Soundtrack& soundtrack) {
  const auto latents = draw_latents(config.seed, run, config.tr_s);
  Narration narration;
  if (run.speech) {
    narration = narrate(config.seed, run, latents.talk, config.tr_s, phrase_book());
    const auto file = dataset::layout::transcript(config.root, run.id);
    make_folder(file.parent_path());
    dataset::write_transcript(file, narration.transcript);
  }
  write_movie(config, run, latents.visual,
              soundtrack.mix(run, latents.auditory, config.tr_s, narration.samples));
}

MatrixD raw_latents(const SynthConfig& config, const PlannedRun& run) {
  const auto latents = draw_latents(config.seed, run, config.tr_s);
  MatrixD raw = MatrixD::Zero(run.rows, latent_count);
  raw.middleCols(visual_columns.begin, visual_count) = latents.visual;
  raw.middleCols(auditory_columns.begin, auditory_count) = latents.auditory;
  if (!run.speech) return raw;
  const auto file = dataset::layout::transcript(config.root, run.id);
  const auto transcript = dataset::read_transcript(file);
  if (static_cast<Index>(transcript.size()) != run.rows) {
    throw InputError(fmt::format("{}: has {} rows, but synth wrote {}; delete it and run synth again",
                                 file.string(), transcript.size(), run.rows));
  }
  raw.middleCols(language_columns.begin, language_count) = count_language(transcript, config.tr_s);
  return raw;
}

}  // namespace cinecortex::stages::synthetic
