#include "scene.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "random.hpp"

namespace cinecortex::stages::synthetic {
namespace {

constexpr double two_pi = 2 * std::numbers::pi;

// Gratings: places on a grid, 5 across and 2 down; neighbours differ by a right angle, so that an energy
// filter that sees a neighbour's edge does not answer to it.
constexpr Index grid_columns = 5;
constexpr double cycles_per_height = 4;
constexpr double window_sigma = 0.15;  ///< in picture heights
constexpr double window_reach = 2.6;   ///< in sigmas
constexpr double directions_deg[visual_count] = {0, 90, 180, 270, 45, 135, 225, 315, 135, 225};
constexpr double speeds_hz[visual_count] = {2, 3, 2, 3, 2, 3, 2, 3, 2, 3};
constexpr double mean_contrast = 0.15, contrast_gain = 0.06;  ///< of the luma range [0, 1]

constexpr double shortest_scene_s = 3, longest_scene_s = 10;
constexpr Index most_discs = 3;
constexpr Index texture_waves = 4;
constexpr double texture_contrast = 0.012, colour_contrast = 0.06;

/// A soft-edged disc: 1 inside, 0 outside, over a rim of a tenth of the radius.
float disc_cover(double distance, double radius) {
  return static_cast<float>(std::clamp((radius - distance) / (0.1 * radius) + 0.5, 0.0, 1.0));
}

}  // namespace

Scene::Scene(const SynthConfig& config, const PlannedRun& run, const MatrixD& visual)
    : width_(config.width),
      height_(config.height),
      tr_s_(config.tr_s),
      seed_(config.seed),
      task_(run.id.task),
      visual_(visual) {
  const auto size = static_cast<std::size_t>(width_ * height_);
  for (Plane* plane : {&still_luma_, &still_blue_, &still_red_, &luma_, &blue_, &red_}) plane->resize(size);
  pixels_.resize(3 * size);
  make_gratings();
}

void Scene::make_gratings() {
  for (Index i = 0; i < visual_count; ++i) gratings_.push_back(make_grating(i));
}

Scene::Grating Scene::make_grating(Index number) const {
  const auto unit = static_cast<double>(height_);
  const double centre_x = (static_cast<double>(number % grid_columns) + 0.5) / grid_columns * double(width_);
  const double centre_y = (number / grid_columns == 0 ? 0.28 : 0.72) * unit;
  const double sigma = window_sigma * unit, reach = window_reach * sigma;
  const auto inside = [](double at, Index size) { return std::clamp<Index>(std::lround(at), 0, size); };
  Grating grating{};
  grating.left = inside(centre_x - reach, width_);
  grating.top = inside(centre_y - reach, height_);
  grating.width = inside(centre_x + reach, width_) - grating.left;
  grating.height = inside(centre_y + reach, height_) - grating.top;
  grating.speed_hz = speeds_hz[number];
  grating.phase = Random(seed_, fmt::format("phase/{}/{}", task_, number)).uniform(0, two_pi);

  const double angle = directions_deg[number] * std::numbers::pi / 180;
  const double wave_x = two_pi * cycles_per_height / unit * std::cos(angle);
  const double wave_y = two_pi * cycles_per_height / unit * std::sin(angle);
  for (Index row = 0; row < grating.height; ++row) {
    for (Index column = 0; column < grating.width; ++column) {
      const double x = static_cast<double>(grating.left + column) + 0.5 - centre_x;
      const double y = static_cast<double>(grating.top + row) + 0.5 - centre_y;
      const double window = std::exp(-(x * x + y * y) / (2 * sigma * sigma));
      const double phase = wave_x * x + wave_y * y;
      grating.even.push_back(static_cast<float>(window * std::cos(phase)));
      grating.odd.push_back(static_cast<float>(window * std::sin(phase)));
    }
  }
  return grating;
}

std::span<const std::uint8_t> Scene::render(double time_s) {
  if (scenes_ == 0 || time_s >= scene_end_s_) cut(time_s);
  luma_ = still_luma_;
  blue_ = still_blue_;
  red_ = still_red_;
  for (const auto& disc : discs_) draw(disc, time_s - scene_begin_s_);
  for (Index i = 0; i < visual_count; ++i) {
    const double contrast = mean_contrast + contrast_gain * at_time(visual_, i, time_s / tr_s_);
    draw(gratings_[static_cast<std::size_t>(i)], std::max(contrast, 0.0), time_s);
  }
  convert();
  return pixels_;
}

void Scene::cut(double time_s) {
  Random random(seed_, fmt::format("scene/{}/{}", task_, scenes_++));
  scene_begin_s_ = time_s;
  scene_end_s_ = time_s + random.uniform(shortest_scene_s, longest_scene_s);
  paint_background(random);
  const double aspect = double(width_) / double(height_);
  discs_.clear();
  for (Index i = random.integer(most_discs + 1); i > 0; --i) {
    discs_.push_back({.x = random.uniform(0, aspect),
                      .y = random.uniform(0, 1),
                      .velocity_x = random.uniform(-0.15, 0.15),
                      .velocity_y = random.uniform(-0.1, 0.1),
                      .radius = random.uniform(0.08, 0.2),
                      .luma = static_cast<float>(random.uniform(-0.02, 0.02)),
                      .blue = static_cast<float>(random.uniform(-0.15, 0.15)),
                      .red = static_cast<float>(random.uniform(-0.15, 0.15))});
  }
}

void Scene::paint_background(Random& random) {
  struct Wave {
    double x, y, phase, luma, blue, red;
  };
  std::vector<Wave> waves;
  for (Index i = 0; i < texture_waves; ++i) {
    waves.push_back({random.uniform(-1.5, 1.5) * two_pi, random.uniform(-1.5, 1.5) * two_pi,
                     random.uniform(0, two_pi), texture_contrast * random.normal(),
                     colour_contrast * random.normal() / 2, colour_contrast * random.normal() / 2});
  }
  const double blue = colour_contrast * random.normal(), red = colour_contrast * random.normal();
  std::size_t pixel = 0;
  for (Index row = 0; row < height_; ++row) {
    for (Index column = 0; column < width_; ++column, ++pixel) {
      const double x = double(column) / double(height_), y = double(row) / double(height_);
      double sum_luma = 0.5, sum_blue = blue, sum_red = red;
      for (const auto& wave : waves) {
        const double level = std::sin(wave.x * x + wave.y * y + wave.phase);
        sum_luma += wave.luma * level;
        sum_blue += wave.blue * level;
        sum_red += wave.red * level;
      }
      still_luma_[pixel] = static_cast<float>(sum_luma);
      still_blue_[pixel] = static_cast<float>(sum_blue);
      still_red_[pixel] = static_cast<float>(sum_red);
    }
  }
}

void Scene::draw(const Grating& grating, double contrast, double time_s) {
  const double phase = grating.phase - two_pi * grating.speed_hz * time_s;
  const auto even = static_cast<float>(contrast * std::cos(phase));
  const auto odd = static_cast<float>(-contrast * std::sin(phase));
  for (Index row = 0; row < grating.height; ++row) {
    float* out = luma_.data() + (grating.top + row) * width_ + grating.left;
    const float* in_even = grating.even.data() + row * grating.width;
    const float* in_odd = grating.odd.data() + row * grating.width;
    for (Index column = 0; column < grating.width; ++column) {
      out[column] += even * in_even[column] + odd * in_odd[column];
    }
  }
}

void Scene::draw(const Disc& disc, double seconds_into_scene) {
  const auto unit = static_cast<double>(height_);
  const double x = (disc.x + disc.velocity_x * seconds_into_scene) * unit;
  const double y = (disc.y + disc.velocity_y * seconds_into_scene) * unit;
  const double radius = disc.radius * unit, reach = 1.1 * radius;
  const auto inside = [](double at, Index size) { return std::clamp<Index>(std::lround(at), 0, size); };
  const Range rows{inside(y - reach, height_), inside(y + reach, height_)};
  const Range columns{inside(x - reach, width_), inside(x + reach, width_)};
  for (Index row = rows.begin; row < rows.end; ++row) {
    for (Index column = columns.begin; column < columns.end; ++column) {
      const float cover = disc_cover(std::hypot(double(column) + 0.5 - x, double(row) + 0.5 - y), radius);
      const auto pixel = static_cast<std::size_t>(row * width_ + column);
      luma_[pixel] += cover * disc.luma;
      blue_[pixel] += cover * disc.blue;
      red_[pixel] += cover * disc.red;
    }
  }
}

void Scene::convert() {
  const auto to_byte = [](float value) {
    return static_cast<std::uint8_t>(std::clamp(value * 255.0F + 0.5F, 0.0F, 255.0F));
  };
  std::uint8_t* out = pixels_.data();
  for (std::size_t i = 0; i < luma_.size(); ++i, out += 3) {
    const float luma = luma_[i], blue = blue_[i], red = red_[i];  // BT.601
    out[0] = to_byte(luma + 1.402F * red);
    out[1] = to_byte(luma - 0.344F * blue - 0.714F * red);
    out[2] = to_byte(luma + 1.772F * blue);
  }
}

}  // namespace cinecortex::stages::synthetic
