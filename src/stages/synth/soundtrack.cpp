#include "soundtrack.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "random.hpp"

namespace cinecortex::stages::synthetic {
namespace {

// Side by side, so that no band is left in which speech alone is heard: sound tells little of words.
constexpr double band_edges_hz[auditory_count + 1] = {90, 200, 400, 750, 1300, 2200, 3700, 6800};
constexpr std::size_t loop_samples = std::size_t{1} << 18;  ///< 12 s
constexpr double band_level = 0.025;                        ///< root mean square of a band at latent 0
constexpr double log_gain = 0.6;                            ///< nepers (5 dB) a standard deviation
constexpr int filter_sections = 4;                          ///< second-order low and high passes, each
constexpr std::size_t gain_step = 64;                       ///< samples between which a gain is interpolated

/// A second-order section in transposed direct form II.
class Biquad {
 public:
  enum class Pass { low, high };
  Biquad(Pass pass, double corner_hz, double quality) {
    const double omega = 2 * std::numbers::pi * corner_hz / audio_rate_hz;
    const double cosine = std::cos(omega), alpha = std::sin(omega) / (2 * quality);
    const double edge = pass == Pass::low ? (1 - cosine) / 2 : (1 + cosine) / 2;
    const double norm = 1 + alpha;
    b0_ = edge / norm;
    b1_ = (pass == Pass::low ? 2 : -2) * edge / norm;
    a1_ = -2 * cosine / norm;
    a2_ = (1 - alpha) / norm;
  }
  double operator()(double x) {
    const double y = b0_ * x + s1_;
    s1_ = b1_ * x - a1_ * y + s2_;
    s2_ = b0_ * x - a2_ * y;
    return y;
  }

 private:
  double b0_, b1_, a1_, a2_, s1_ = 0, s2_ = 0;
};

/// White noise through Butterworth filters of order 2·filter_sections at both edges.
std::vector<float> noise_loop(std::uint64_t seed, Index number) {
  std::vector<Biquad> filters;
  for (int i = 0; i < filter_sections; ++i) {
    const double quality = 1 / (2 * std::sin((2 * i + 1) * std::numbers::pi / (4 * filter_sections)));
    filters.emplace_back(Biquad::Pass::high, band_edges_hz[number], quality);
    filters.emplace_back(Biquad::Pass::low, band_edges_hz[number + 1], quality);
  }
  Random random(seed, fmt::format("noise loop/{}", number));
  std::vector<double> white(loop_samples);
  for (auto& value : white) value = random.normal();
  std::vector<float> loop(loop_samples);
  // Twice round: the second time the filters come from the loop's own end, so that it closes without a click.
  for (int round = 0; round < 2; ++round) {
    for (std::size_t i = 0; i < loop_samples; ++i) {
      double value = white[i];
      for (auto& filter : filters) value = filter(value);
      loop[i] = static_cast<float>(value);
    }
  }
  double power = 0;
  for (const float value : loop) power += double(value) * double(value);
  const auto scale = static_cast<float>(1 / std::sqrt(power / double(loop_samples)));
  for (auto& value : loop) value *= scale;
  return loop;
}

}  // namespace

Soundtrack::Soundtrack(std::uint64_t seed) : seed_(seed) {
  for (Index i = 0; i < auditory_count; ++i) loops_.push_back(noise_loop(seed, i));
}

std::vector<float> Soundtrack::mix(const PlannedRun& run, const MatrixD& auditory, double tr_s,
                                   const std::vector<float>& speech) const {
  std::vector<float> sound(static_cast<std::size_t>(std::llround(run.duration_s * audio_rate_hz)));
  std::copy_n(speech.begin(), std::min(speech.size(), sound.size()), sound.begin());
  Random random(seed_, "soundtrack/" + run.id.task);
  for (Index number = 0; number < auditory_count; ++number) {
    const auto& loop = loops_[static_cast<std::size_t>(number)];
    std::size_t at = static_cast<std::size_t>(random.integer(static_cast<Index>(loop_samples)));
    const auto gain_at = [&](std::size_t sample) {
      const double latent = at_time(auditory, number, double(sample) / audio_rate_hz / tr_s);
      return static_cast<float>(band_level * std::exp(log_gain * latent));
    };
    float gain = gain_at(0);
    for (std::size_t begin = 0; begin < sound.size(); begin += gain_step) {
      const float next = gain_at(begin + gain_step);
      const float slope = (next - gain) / static_cast<float>(gain_step);
      const std::size_t end = std::min(begin + gain_step, sound.size());
      for (std::size_t i = begin; i < end; ++i, ++at) {
        sound[i] += (gain + slope * static_cast<float>(i - begin)) * loop[at & (loop_samples - 1)];
      }
      gain = next;
    }
  }
  for (auto& sample : sound) sample = std::clamp(sample, -1.0F, 1.0F);
  return sound;
}

}  // namespace cinecortex::stages::synthetic
