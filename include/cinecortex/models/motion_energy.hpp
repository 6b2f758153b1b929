#pragma once
#include <array>
#include <span>
#include <vector>

#include "cinecortex/core/types.hpp"

/// Motion energy of Nishimoto et al. (2011), Current Biology 21:1641: a pyramid of spatio-temporal Gabor
/// filters in quadrature. Filters, their order and their values are those of pymoten's MotionEnergyPyramid.
namespace cinecortex::models {

/// Defaults are pymoten's, but for the size of the frames. Its spatial_phase_offset is left out: it turns
/// both channels of a quadrature pair by the same angle, which no energy can see.
struct MotionEnergySettings {
  Index height = 96, width = 128;  ///< pixels; both at least 2
  Index fps = 15;                  ///< frames per second
  std::vector<double> temporal_frequencies_hz{0, 2, 4};
  std::vector<double> spatial_frequencies{0, 2, 4, 8, 16};  ///< cycles per image height
  std::vector<double> directions{0,   45,  90,  135,
                                 180, 225, 270, 315};  ///< degrees in [0, 360); 0 is rightwards
  double sf_gauss_ratio = 0.6;   ///< s.d. of the spatial envelope = this / spatial frequency …
  double max_spatial_env = 0.3;  ///< … but no more than this; image heights
  double filter_spacing = 3.5;   ///< distance of neighbouring filters in s.d. of their envelope
  double tf_gauss_ratio = 10.0;  ///< s.d. of the temporal envelope = this / temporal frequency …
  double max_temp_env = 0.3;     ///< … but no more than this; filter lengths
  bool include_edges = false;    ///< one more ring of filters, partly outside of the image
  Index filter_width = 0;        ///< frames; 0: two thirds of a second
};

/// One filter. Positions are in image heights from the top left corner.
struct MotionEnergyFilter {
  double centre_x, centre_y, direction, spatial_frequency, spatial_env, temporal_frequency_hz, temporal_env;
};

/// The pyramid in two steps, so that long runs go through in blocks of frames: spatial_responses() of any
/// block, then energies() from the responses of a stretch of frames. All arithmetic is float64. Filters that
/// share their place and spatial grating share one product, over the pixels under their envelope.
class MotionEnergyPyramid {
 public:
  /// @pre fps × 2/3 ≥ 1 or filter_width ≥ 1; lists not empty; numbers positive (frequencies may be 0)
  explicit MotionEnergyPyramid(const MotionEnergySettings& settings);

  const std::vector<MotionEnergyFilter>& filters() const noexcept { return filters_; }
  Index channels() const noexcept { return 2 * pairs_; }  ///< columns of the spatial responses
  Index frames_before() const noexcept { return taps_ - centre_tap_ - 1; }  ///< that an energy depends on
  Index frames_after() const noexcept { return centre_tap_; }

  /// @param luminance  [n, height · width]
  /// @param responses  [n, channels()], overwritten.   Collective: no.
  void spatial_responses(const ConstViewD& luminance, ViewD responses) const;

  /// Energies √(sin² + cos²) of some frames. Frames outside of `responses` count as zero, as in pymoten.
  /// @param responses  [n, channels()]
  /// @param frames     rows of `responses`
  /// @param energies   [frames.size(), filters().size()], overwritten.   Collective: no.
  void energies(const ConstViewD& responses, Range frames, ViewD energies) const;

 private:
  /// Gratings at one place under one envelope: patch [rows × columns, 2 · gratings], all sines, then all
  /// cosines.
  struct Site {
    double x = 0, y = 0, env = 0;
    std::vector<std::array<double, 2>> gratings{};  ///< spatial frequency, direction in [0, 180)
    Range rows{}, columns{};
    MatrixD patch{};
    Index first_pair = 0;
  };
  /// Where a filter's spatial pair and temporal filter are; sign −1 for directions of 180° and more.
  struct Wiring {
    Index site, grating, temporal;
    double sign;
  };

  void lay_out(const MotionEnergySettings& settings);
  void add_filter(const MotionEnergyFilter& filter, Index temporal);
  void build_patch(Site& site) const;
  void build_temporal_filters(const MotionEnergySettings& settings);

  Index height_, width_, taps_, centre_tap_ = 0, pairs_ = 0;
  std::vector<MotionEnergyFilter> filters_;
  std::vector<Wiring> wiring_;
  std::vector<Site> sites_;
  MatrixD temporal_sin_, temporal_cos_;  ///< [temporal frequencies, taps]
};

/// L* of CIE LAB (0 … 100) of 8-bit sRGB, as pymoten computes it (D65 white).
class LabLightness {
 public:
  LabLightness();
  /// @param rgb        [n, 3]
  /// @param lightness  [n].   Collective: no.
  void operator()(std::span<const std::uint8_t> rgb, std::span<double> lightness) const;

 private:
  std::array<double, 256> linear_;
};

}  // namespace cinecortex::models
