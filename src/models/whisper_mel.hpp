#pragma once
#include <map>
#include <span>

#include "cinecortex/core/types.hpp"

namespace cinecortex::models::whisper {

/// Log-mel spectrograms of clips of a run as transformers' WhisperFeatureExtractor computes them for each clip alone: zeros
/// behind up to the model's length, frames of 400 samples every 160, the ends reflected, log10 of slaney's mel bands, clamped
/// at 8 below the clip's maximum, (x + 4) / 4.
/// A frame that lies inside of its clip is the same for every clip whose start differs by whole hops: such frames are
/// computed once for all clips (share()), only the few at a clip's ends and the clamp are its own. All in float64.
class MelSpectrogram {
 public:
  /// Frames of a run that clips share, before the clamp. Keyed by the clips' start modulo the hop.
  struct Track {
    Index first = 0;  ///< frame `first` + i is row i; frame m is centred on sample phase + m · hop
    MatrixF bands;    ///< [frames, bands], log10
  };
  using Tracks = std::map<Index, Track>;

  /// @param bands   80 or 128 in published models
  /// @param frames  of a spectrogram: 3000 are 30 s
  /// @throws InputError where a band holds no frequency (too many bands).
  MelSpectrogram(Index bands, Index frames);

  Index bands() const noexcept { return filters_.rows(); }
  Index frames() const noexcept { return frames_; }
  Index longest_clip() const noexcept;  ///< samples

  /// @param audio  the run; samples behind its end are silence
  /// @param clips  [begin, end) in samples, none longer than longest_clip().   Collective: no.
  Tracks share(std::span<const float> audio, std::span<const Range> clips) const;

  /// @param clip         one of those given to share()
  /// @param spectrogram  [bands, frames], overwritten.   Collective: no.
  void compute(std::span<const float> audio, Range clip, const Tracks& shared,
               std::span<float> spectrogram) const;

 private:
  MatrixF log_bands(const MatrixD& signals) const;
  MatrixF own_frames(std::span<const float> audio, Range clip, std::span<const Index> frames) const;

  Index frames_;
  Eigen::ArrayXd window_;
  MatrixD filters_;
};

}  // namespace cinecortex::models::whisper
