#include "whisper_mel.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "cinecortex/linalg/dense.hpp"
#include "fft.hpp"
#include "mel_filters.hpp"
#include "whisper_clip.hpp"

namespace cinecortex::models::whisper {
namespace {

constexpr Index window_samples = 400;
constexpr Index half_window = window_samples / 2;
constexpr double power_floor = 1e-10;
constexpr float silence = -10;          ///< log10 of power_floor
constexpr float dynamic_range = 8;      ///< log10 below the maximum
constexpr Index frames_at_once = 1024;  ///< bounds the memory of a transform

/// Whether a frame centred on this sample sees the clip alone: neither a reflected end nor what comes behind.
bool inside(Range clip, Index centre) {
  return centre - half_window >= clip.begin && centre + half_window <= clip.end;
}

}  // namespace

MelSpectrogram::MelSpectrogram(Index bands, Index frames)
    : frames_(frames),
      window_(window_samples),
      filters_(mel_filters({.rate_hz = static_cast<double>(rate_hz),
                            .window = window_samples,
                            .hop = hop,
                            .bands = bands,
                            .scale = MelScale::slaney,
                            .f_min_hz = 0,
                            .f_max_hz = 8000},
                           window_samples)) {
  for (Index i = 0; i < window_samples; ++i) {
    window_[i] = 0.5 - 0.5 * std::cos(2 * std::numbers::pi * static_cast<double>(i) / window_samples);
  }
}

Index MelSpectrogram::longest_clip() const noexcept {
  return frames_ * hop;
}

/// @param signals  [n, window], windowed
MatrixF MelSpectrogram::log_bands(const MatrixD& signals) const {
  MatrixD power, bands(signals.rows(), filters_.rows());
  power_spectrum(signals, power);
  linalg::gemm(false, true, 1.0, power, filters_, 0.0, bands);
  return bands.array().max(power_floor).log10().cast<float>().matrix();
}

MelSpectrogram::Tracks MelSpectrogram::share(std::span<const float> audio,
                                             std::span<const Range> clips) const {
  std::map<Index, Range> wanted;
  for (const Range& clip : clips) {
    const Range frames{clip.begin / hop, (clip.end + hop - 1) / hop};
    const auto [entry, added] = wanted.try_emplace(clip.begin % hop, frames);
    if (added) continue;
    entry->second.begin = std::min(entry->second.begin, frames.begin);
    entry->second.end = std::max(entry->second.end, frames.end);
  }
  Tracks tracks;
  const auto length = static_cast<Index>(audio.size());
  for (const auto& [phase, frames] : wanted) {
    Track track{frames.begin, MatrixF(frames.size(), bands())};
    for (Index first = frames.begin; first < frames.end; first += frames_at_once) {
      const Index count = std::min(frames_at_once, frames.end - first);
      MatrixD signals = MatrixD::Zero(count, window_samples);
      for (Index m = 0; m < count; ++m) {
        const Index start = phase + (first + m) * hop - half_window;
        const Index to = std::min(window_samples, length - start);
        for (Index i = std::max<Index>(0, -start); i < to; ++i) {
          signals(m, i) = window_[i] * static_cast<double>(audio[static_cast<std::size_t>(start + i)]);
        }
      }
      track.bands.middleRows(first - frames.begin, count) = log_bands(signals);
    }
    tracks.emplace(phase, std::move(track));
  }
  return tracks;
}

/// Frames that see an end of the padded clip, which is reflected there, or the zeros behind the sound.
MatrixF MelSpectrogram::own_frames(std::span<const float> audio, Range clip,
                                   std::span<const Index> frames) const {
  const Index padded = longest_clip(), heard = std::min(clip.end, static_cast<Index>(audio.size()));
  MatrixD signals(std::ssize(frames), window_samples);
  for (Index m = 0; m < signals.rows(); ++m) {
    const Index start = frames[static_cast<std::size_t>(m)] * hop - half_window;
    for (Index i = 0; i < window_samples; ++i) {
      Index at = std::abs(start + i);
      if (at >= padded) at = 2 * (padded - 1) - at;
      at += clip.begin;
      const double sample = at < heard ? audio[static_cast<std::size_t>(at)] : 0;
      signals(m, i) = window_[i] * sample;
    }
  }
  return log_bands(signals);
}

void MelSpectrogram::compute(std::span<const float> audio, Range clip, const Tracks& shared,
                             std::span<float> spectrogram) const {
  const Track& track = shared.at(clip.begin % hop);
  const Index offset = clip.begin / hop - track.first;
  MatrixF values = MatrixF::Constant(frames_, bands(), silence);
  std::vector<Index> own;
  for (Index m = 0; m < frames_; ++m) {
    const Index centre = clip.begin + m * hop;
    if (inside(clip, centre)) {
      values.row(m) = track.bands.row(offset + m);
    } else if (centre - half_window < clip.end || m * hop + half_window > longest_clip()) {
      own.push_back(m);
    }
  }
  const MatrixF ends = own_frames(audio, clip, own);
  for (Index i = 0; i < ends.rows(); ++i) values.row(own[static_cast<std::size_t>(i)]) = ends.row(i);
  const float floor = values.maxCoeff() - dynamic_range;
  Eigen::Map<MatrixF>(spectrogram.data(), bands(), frames_) =
      ((values.array().max(floor) + 4) / 4).matrix().transpose();
}

}  // namespace cinecortex::models::whisper
