#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "latents.hpp"

namespace cinecortex::stages::synthetic {

/// The moving picture of a run. Its luminance is a field of drifting gratings, each at its own place,
/// direction and speed, whose contrast follows a visual latent; behind them a faint texture, and mostly in
/// colour, which motion energy does not see, scenes that change at cuts and discs that move.   Not
/// thread-safe.   Collective: no.
class Scene {
 public:
  Scene(const SynthConfig& config, const PlannedRun& run, const MatrixD& visual);

  /// The frame at `time_s`; times must ascend. @return RGB, height × width × 3, valid until the next call.
  std::span<const std::uint8_t> render(double time_s);

 private:
  using Plane = std::vector<float>;

  /// A grating inside its window, as two images in quadrature: a·(cos φ · even + sin φ · odd) drifts with φ.
  struct Grating {
    Index left, top, width, height;
    Plane even, odd;
    double speed_hz, phase;
  };
  struct Disc {
    double x, y, velocity_x, velocity_y, radius;  ///< in picture heights, and heights a second
    float luma, blue, red;
  };

  void make_gratings();
  Grating make_grating(Index number) const;
  void cut(double time_s);
  void paint_background(class Random& random);
  void draw(const Grating& grating, double contrast, double time_s);
  void draw(const Disc& disc, double seconds_into_scene);
  void convert();

  Index width_, height_;
  double tr_s_;
  std::uint64_t seed_;
  std::string task_;
  const MatrixD& visual_;
  std::vector<Grating> gratings_;
  std::vector<Disc> discs_;
  double scene_begin_s_ = 0, scene_end_s_ = 0;
  Index scenes_ = 0;
  Plane still_luma_, still_blue_, still_red_;  ///< the background of this scene
  Plane luma_, blue_, red_;                    ///< the frame; luma in [0, 1], colour differences around 0
  std::vector<std::uint8_t> pixels_;
};

}  // namespace cinecortex::stages::synthetic
