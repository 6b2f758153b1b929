#include "target_tiles.hpp"

#include <algorithm>

#include "cinecortex/linalg/device.hpp"
#include "cinecortex/parallel/threads.hpp"

namespace cinecortex::encoding {
namespace {

Index tile_size(Index targets) {
  constexpr Index step = 64, most = 256, most_on_gpu = 4096;
  if (linalg::device() != "cpu") return most_on_gpu;
  const Index share = targets / (2 * parallel::openmp_threads()) / step * step;
  return share == 0 ? targets : std::min(share, most);
}

}  // namespace

void for_each_tile(Index targets, const std::function<void(Range)>& fn) {
  if (targets == 0) return;
  const Index size = tile_size(targets);
  const Index count = (targets + size - 1) / size;
  const auto tile = [&](Index i) { fn(Range{i * size, std::min((i + 1) * size, targets)}); };
  if (count == 1) return tile(0);
  if (linalg::device() == "cpu") return parallel::for_each_in_threads(count, tile);
  for (Index i = 0; i < count; ++i) tile(i);
}

}  // namespace cinecortex::encoding
