#include "atlas.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "random.hpp"

namespace cinecortex::stages::synthetic {
namespace {

using Point = std::array<double, 3>;

constexpr std::array<Index, 3> grid{97, 115, 97};
constexpr Point centre{48, 58, 50}, radii{33, 42, 30};  ///< of the head, in voxels
constexpr double shell = 0.7;  ///< parcels lie between this share of the radii and the whole

double distance(const Point& a, const Point& b) {
  return std::hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
}

/// Somewhere in the shell, by rejection.
Point draw_point(Random& random) {
  while (true) {
    const Point unit{random.uniform(-1, 1), random.uniform(-1, 1), random.uniform(-1, 1)};
    const double radius = std::hypot(unit[0], unit[1], unit[2]);
    if (radius > 1 || radius < shell) continue;
    Point point;
    for (std::size_t axis = 0; axis < 3; ++axis) point[axis] = centre[axis] + radii[axis] * unit[axis];
    return point;
  }
}

/// Of a few candidates the one farthest from its neighbours, so that parcels are about equally large.
std::vector<Point> draw_centres(Random& random, Index parcels) {
  constexpr int candidates = 12;
  std::vector<Point> centres;
  while (static_cast<Index>(centres.size()) < parcels) {
    Point best{};
    double best_gap = -1;
    for (int i = 0; i < candidates; ++i) {
      const Point point = draw_point(random);
      double gap = std::numeric_limits<double>::max();
      for (const auto& other : centres) gap = std::min(gap, distance(point, other));
      if (gap > best_gap) {
        best_gap = gap;
        best = point;
      }
    }
    centres.push_back(best);
  }
  std::sort(centres.begin(), centres.end(), [](const Point& a, const Point& b) { return a[1] < b[1]; });
  return centres;
}

double parcel_radius(Index parcels) {
  const double volume =
      4.0 / 3.0 * 3.14159 * radii[0] * radii[1] * radii[2] * (1 - std::pow(shell, 3)) / double(parcels);
  return std::max(std::cbrt(volume), 1.5);
}

}  // namespace

io::Volume make_atlas(std::uint64_t seed, Index parcels) {
  Random random(seed, "atlas");
  const auto centres = draw_centres(random, parcels);
  const double radius = parcel_radius(parcels);
  io::Volume volume{
      .shape = grid, .affine = {2, 0, 0, -96, 0, 2, 0, -132, 0, 0, 2, -78, 0, 0, 0, 1}, .values = {}};
  const auto voxels = static_cast<std::size_t>(grid[0] * grid[1] * grid[2]);
  volume.values.assign(voxels, 0.0F);
  std::vector<double> nearest(voxels,
                              radius);  // distance to the label's centre; a voxel beyond the radius has none
  for (std::size_t parcel = 0; parcel < centres.size(); ++parcel) {
    const Point& at = centres[parcel];
    const auto range = [&](std::size_t axis) {
      return Range{std::max<Index>(0, std::lround(at[axis] - radius)),
                   std::min<Index>(grid[axis], std::lround(at[axis] + radius) + 1)};
    };
    for (Index z = range(2).begin; z < range(2).end; ++z) {
      for (Index y = range(1).begin; y < range(1).end; ++y) {
        for (Index x = range(0).begin; x < range(0).end; ++x) {
          const auto voxel = static_cast<std::size_t>((z * grid[1] + y) * grid[0] + x);
          const double here = distance({double(x), double(y), double(z)}, at);
          if (here >= nearest[voxel]) continue;
          nearest[voxel] = here;
          volume.values[voxel] = static_cast<float>(parcel + 1);
        }
      }
    }
  }
  return volume;
}

}  // namespace cinecortex::stages::synthetic
