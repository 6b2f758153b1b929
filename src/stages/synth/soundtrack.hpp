#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "latents.hpp"

namespace cinecortex::stages::synthetic {

inline constexpr double audio_rate_hz = 22050;  ///< what libespeak-ng speaks at

/// Noise in bands, each as loud as its auditory latent says. The noise is one loop a band, made once and
/// entered anywhere.   Collective: no.
class Soundtrack {
 public:
  explicit Soundtrack(std::uint64_t seed);

  /// @param auditory  [L, auditory_count]     @param speech  added as it is; may be shorter than the run
  /// @return mono samples of the whole run, in [-1, 1]
  std::vector<float> mix(const PlannedRun& run, const MatrixD& auditory, double tr_s,
                         const std::vector<float>& speech) const;

 private:
  std::uint64_t seed_;
  std::vector<std::vector<float>> loops_;  ///< a band each, root mean square 1
};

}  // namespace cinecortex::stages::synthetic
