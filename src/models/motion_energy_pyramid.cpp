#include <cmath>
#include <limits>
#include <numbers>

#include "cinecortex/linalg/dense.hpp"
#include "cinecortex/models/motion_energy.hpp"

namespace cinecortex::models {
namespace {

/// Pixels where |sine| + |cosine| of a Gabor pair is no more than this are left out, as in pymoten.
constexpr double mask_limit = 1e-3;

double envelope(double frequency, double ratio, double widest) {
  return frequency == 0 ? widest : std::min((1.0 / frequency) * ratio, widest);
}

/// Centres of the filters along one axis, symmetric about its middle.
std::vector<double> centres(double extent, double env, double spacing, bool include_edges) {
  const double fitting = std::floor(((extent - env * spacing) / (spacing * env)) / 2.0);
  const auto reach = static_cast<Index>(std::max(fitting, 0.0)) + (include_edges ? 1 : 0);
  std::vector<double> result;
  for (Index i = -reach; i <= reach; ++i)
    result.push_back(env * spacing * static_cast<double>(i) + extent / 2.0);
  return result;
}

/// n points from 0 to last, both included.
Eigen::ArrayXd grid(Index n, double last) {
  const double step = n > 1 ? last / static_cast<double>(n - 1) : 0.0;
  return Eigen::ArrayXd::LinSpaced(n, 0.0, static_cast<double>(n - 1)) * step;
}

/// The smallest range that holds every position where the profile is above the limit.
Range extent_above(const Eigen::ArrayXd& profile, double limit) {
  Range range{0, profile.size()};
  while (!range.empty() && profile[range.begin] <= limit) ++range.begin;
  while (!range.empty() && profile[range.end - 1] <= limit) --range.end;
  return range;
}

}  // namespace

MotionEnergyPyramid::MotionEnergyPyramid(const MotionEnergySettings& settings)
    : height_(settings.height),
      width_(settings.width),
      taps_(settings.filter_width > 0 ? settings.filter_width
                                      : static_cast<Index>(static_cast<double>(settings.fps) * (2 / 3.))) {
  centre_tap_ = (taps_ + 1) / 2 - 1;
  lay_out(settings);
  for (auto& site : sites_) {
    site.first_pair = pairs_;
    pairs_ += static_cast<Index>(site.gratings.size());
    build_patch(site);
  }
  build_temporal_filters(settings);
}

/// Every filter in pymoten's order.
void MotionEnergyPyramid::lay_out(const MotionEnergySettings& settings) {
  const double aspect = static_cast<double>(width_) / static_cast<double>(height_);
  const auto& frequencies = settings.spatial_frequencies;
  const bool local_mean = std::find(frequencies.begin(), frequencies.end(), 0.0) != frequencies.end();
  for (const double spatial : frequencies) {
    if (spatial == 0) continue;
    const double env = envelope(spatial, settings.sf_gauss_ratio, settings.max_spatial_env);
    const auto ys = centres(1.0, env, settings.filter_spacing, settings.include_edges);
    const auto xs = centres(aspect, env, settings.filter_spacing, settings.include_edges);
    for (const double direction : settings.directions) {
      for (const double x : xs) {
        for (const double y : ys) {
          for (std::size_t t = 0; t < settings.temporal_frequencies_hz.size(); ++t) {
            const double temporal = settings.temporal_frequencies_hz[t];
            // Without motion, opposite directions are the same filter.
            if (temporal == 0 && direction >= 180) continue;
            const double temporal_env = envelope(temporal, settings.tf_gauss_ratio, settings.max_temp_env);
            const auto index = static_cast<Index>(t);
            add_filter({x, y, direction, spatial, env, temporal, temporal_env}, index);
            // Spatial frequency 0: the luminance under the envelope, once a place.
            if (direction == 0 && local_mean)
              add_filter({x, y, direction, 0.0, env, temporal, temporal_env}, index);
          }
        }
      }
    }
  }
}

void MotionEnergyPyramid::add_filter(const MotionEnergyFilter& filter, Index temporal) {
  const auto same_site = [&](const Site& site) {
    return site.x == filter.centre_x && site.y == filter.centre_y && site.env == filter.spatial_env;
  };
  auto site = std::find_if(sites_.begin(), sites_.end(), same_site);
  if (site == sites_.end()) {
    sites_.push_back({.x = filter.centre_x, .y = filter.centre_y, .env = filter.spatial_env});
    site = sites_.end() - 1;
  }
  // The grating of the opposite direction has the same cosine and the negative sine.
  const bool opposite = filter.direction >= 180;
  const std::array<double, 2> wanted{filter.spatial_frequency,
                                     opposite ? filter.direction - 180 : filter.direction};
  auto grating = std::find(site->gratings.begin(), site->gratings.end(), wanted);
  if (grating == site->gratings.end()) {
    site->gratings.push_back(wanted);
    grating = site->gratings.end() - 1;
  }
  filters_.push_back(filter);
  wiring_.push_back(
      {site - sites_.begin(), grating - site->gratings.begin(), temporal, opposite ? -1.0 : 1.0});
}

void MotionEnergyPyramid::build_patch(Site& site) const {
  const double aspect = static_cast<double>(width_) / static_cast<double>(height_);
  const Eigen::ArrayXd dx = grid(width_, aspect) - site.x;
  const Eigen::ArrayXd dy = grid(height_, 1.0) - site.y;
  const double variance = 2 * site.env * site.env;
  const Eigen::ArrayXd profile_x = (-dx.square() / variance).exp();
  const Eigen::ArrayXd profile_y = (-dy.square() / variance).exp();
  // |sin| + |cos| is at most √2, so nothing outside of this rectangle can pass the mask.
  const double limit = mask_limit / (std::numbers::sqrt2 * 1.0001);
  site.columns = extent_above(profile_x * profile_y.maxCoeff(), limit);
  site.rows = extent_above(profile_y * profile_x.maxCoeff(), limit);

  const auto gratings = static_cast<Index>(site.gratings.size());
  site.patch = MatrixD::Zero(site.rows.size() * site.columns.size(), 2 * gratings);
  for (Index g = 0; g < gratings; ++g) {
    const auto [frequency, direction] = site.gratings[static_cast<std::size_t>(g)];
    const double radians = direction / 180.0 * std::numbers::pi;
    const double fx = -frequency * std::cos(radians) * 2 * std::numbers::pi;
    const double fy = frequency * std::sin(radians) * 2 * std::numbers::pi;
    Index pixel = 0;
    for (Index row = site.rows.begin; row < site.rows.end; ++row) {
      for (Index column = site.columns.begin; column < site.columns.end; ++column, ++pixel) {
        const double gaussian = profile_x[column] * profile_y[row];
        const double phase = dx[column] * fx + dy[row] * fy;
        const double sine = gaussian * std::sin(phase);
        const double cosine = gaussian * std::cos(phase);
        if (std::abs(sine) + std::abs(cosine) <= mask_limit) continue;
        site.patch(pixel, g) = sine;
        site.patch(pixel, gratings + g) = cosine;
      }
    }
  }
}

void MotionEnergyPyramid::build_temporal_filters(const MotionEnergySettings& settings) {
  const auto count = static_cast<Index>(settings.temporal_frequencies_hz.size());
  const double seconds = static_cast<double>(taps_) / static_cast<double>(settings.fps);
  temporal_sin_.resize(count, taps_);
  temporal_cos_.resize(count, taps_);
  for (Index t = 0; t < count; ++t) {
    const double frequency = settings.temporal_frequencies_hz[static_cast<std::size_t>(t)];
    const double env = envelope(frequency, settings.tf_gauss_ratio, settings.max_temp_env);
    const double cycles = frequency * seconds * 2 * std::numbers::pi;
    for (Index tap = 0; tap < taps_; ++tap) {
      // As in pymoten (and Nishimoto's code), the end point is left out: the middle is half a frame off.
      const double time = static_cast<double>(tap) / static_cast<double>(taps_) - 0.5;
      const double gaussian = std::exp(-time * time / (2 * env * env));
      temporal_sin_(t, tap) = gaussian * std::sin(time * cycles);
      temporal_cos_(t, tap) = gaussian * std::cos(time * cycles);
    }
  }
}

void MotionEnergyPyramid::spatial_responses(const ConstViewD& luminance, ViewD responses) const {
  const Index frames = luminance.rows();
  MatrixD pixels, product;
  for (const auto& site : sites_) {
    const Index columns = site.columns.size();
    const auto gratings = static_cast<Index>(site.gratings.size());
    pixels.resize(frames, site.patch.rows());
    product.setZero(frames, 2 * gratings);
    for (Index row = site.rows.begin; row < site.rows.end; ++row) {
      pixels.middleCols((row - site.rows.begin) * columns, columns) =
          luminance.middleCols(row * width_ + site.columns.begin, columns);
    }
    if (pixels.cols() > 0) linalg::gemm(false, false, 1.0, pixels, site.patch, 0.0, product);
    responses.middleCols(site.first_pair, gratings) = product.leftCols(gratings);
    responses.middleCols(pairs_ + site.first_pair, gratings) = product.rightCols(gratings);
  }
}

void MotionEnergyPyramid::energies(const ConstViewD& responses, Range frames, ViewD energies) const {
  // Products of spatial and temporal channels, of every pair: sin·cos, cos·sin, sin·sin, cos·cos.
  std::vector<Matrix<double>> products(static_cast<std::size_t>(temporal_sin_.rows()), MatrixD(4, pairs_));
  for (Index frame = frames.begin; frame < frames.end; ++frame) {
    for (std::size_t t = 0; t < products.size(); ++t) {
      auto& sum = products[t];
      sum.setZero();
      for (Index tap = 0; tap < taps_; ++tap) {
        const Index source = frame + centre_tap_ - tap;
        if (source < 0 || source >= responses.rows()) continue;
        const double sine = temporal_sin_(static_cast<Index>(t), tap);
        const double cosine = temporal_cos_(static_cast<Index>(t), tap);
        const auto spatial_sin = responses.row(source).head(pairs_);
        const auto spatial_cos = responses.row(source).tail(pairs_);
        sum.row(0) += cosine * spatial_sin;
        sum.row(1) += sine * spatial_cos;
        sum.row(2) += sine * spatial_sin;
        sum.row(3) += cosine * spatial_cos;
      }
    }
    for (std::size_t f = 0; f < wiring_.size(); ++f) {
      const auto& wire = wiring_[f];
      const auto& sum = products[static_cast<std::size_t>(wire.temporal)];
      const Index pair = sites_[static_cast<std::size_t>(wire.site)].first_pair + wire.grating;
      const double sine = wire.sign * sum(0, pair) + sum(1, pair);
      const double cosine = sum(3, pair) - wire.sign * sum(2, pair);
      energies(frame - frames.begin, static_cast<Index>(f)) = std::sqrt(sine * sine + cosine * cosine);
    }
  }
}

LabLightness::LabLightness() {
  for (std::size_t i = 0; i < linear_.size(); ++i) {
    const double value = static_cast<double>(i) / 255.0;
    linear_[i] = value < 0.04045 ? value / 12.92 : std::pow((value + 0.055) / 1.055, 2.4);
  }
}

void LabLightness::operator()(std::span<const std::uint8_t> rgb, std::span<double> lightness) const {
  for (std::size_t i = 0; i < lightness.size(); ++i) {
    const double y = 0.212671 * linear_[rgb[3 * i]] + 0.715160 * linear_[rgb[3 * i + 1]] +
                     0.072169 * linear_[rgb[3 * i + 2]];
    const double f = y < 0.008856 ? y * 7.787 + 4. / 29. : std::cbrt(y);
    lightness[i] = 116.0 * f - 16;
  }
}

}  // namespace cinecortex::models
