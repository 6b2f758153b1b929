#include "cinecortex/encoding/significance.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <numeric>

#include "any_processor.hpp"
#include "cinecortex/core/error.hpp"
#include "cinecortex/core/interrupt.hpp"
#include "cinecortex/linalg/counter_random.hpp"
#include "cinecortex/parallel/threads.hpp"

namespace cinecortex::encoding {
namespace {

constexpr Index lanes = 16;        ///< targets side by side
constexpr Index together = 4;      ///< permutations that share one reading of the prediction
constexpr Index float_rows = 128;  ///< at most so many products are summed in float32, give or take a block
constexpr Index orders_at_once = 64;  ///< permutations that are drawn, then used for all targets
constexpr double tie = 1e-7;          ///< far above the rounding of r, far below what matters

/// Consecutive rows of the prediction that one stretch of the truth is laid on.
struct Place {
  Index begin, rows;
};

/// For one permutation the first row of the truth behind every place.
using Origins = std::vector<Index>;

using Sums = std::array<double, static_cast<std::size_t>(together* lanes)>;

/// One TR of a tile.
struct alignas(lanes * sizeof(float)) Row {
  float values[lanes] = {};
};
/// The same as what the compiler calculates with, in as many registers as the processor needs for it.
using Lanes = float __attribute__((vector_size(sizeof(Row)), may_alias));

/// Adds up truth × prediction, both [rows, lanes], over the places, the truth in `together` orders.
CINECORTEX_ANY_PROCESSOR void add_products(const Row* truth, const Row* prediction, const Place* places,
                                           Index count, const Index* const* origins, double* sums) {
  static_assert(together == 4);
  const auto* all_y = reinterpret_cast<const Lanes*>(truth);
  const auto* all_p = reinterpret_cast<const Lanes*>(prediction);
  Lanes part[together] = {};
  Index rows = 0;
  for (Index m = 0; m < count; ++m) {
    const Lanes* p = all_p + places[m].begin;
    const Lanes *y0 = all_y + origins[0][m], *y1 = all_y + origins[1][m];
    const Lanes *y2 = all_y + origins[2][m], *y3 = all_y + origins[3][m];
    for (Index i = 0; i < places[m].rows; ++i) {
      part[0] += y0[i] * p[i];
      part[1] += y1[i] * p[i];
      part[2] += y2[i] * p[i];
      part[3] += y3[i] * p[i];
    }
    rows += places[m].rows;
    if (rows < float_rows && m + 1 < count) continue;
    rows = 0;
    for (Index k = 0; k < together; ++k) {
      for (Index lane = 0; lane < lanes; ++lane) sums[k * lanes + lane] += static_cast<double>(part[k][lane]);
      part[k] = Lanes{};
    }
  }
}

/// Columns in tiles of `lanes`, each [rows, lanes], of mean 0 and norm 1; constant ones, and what fills the last tile,
/// are 0.
std::vector<Row> standardised_tiles(const ConstViewF& values) {
  const Index rows = values.rows(), columns = values.cols(), tiles = (columns + lanes - 1) / lanes;
  std::vector<Row> result(static_cast<std::size_t>(tiles * rows), Row{});
  parallel::for_each_in_threads(tiles, [&](Index tile) {
    const Index first = tile * lanes, width = std::min(lanes, columns - first);
    const MatrixD part = values.middleCols(first, width).cast<double>();
    Row* to = result.data() + tile * rows;
    for (Index lane = 0; lane < width; ++lane) {
      // About the first row: a constant column leaves nothing, not even a rounding.
      const VectorD steps = part.col(lane).array() - part(0, lane);
      const VectorD centred = steps.array() - steps.mean();
      const double norm = centred.norm();
      if (!(norm > 0)) continue;
      for (Index row = 0; row < rows; ++row) to[row].values[lane] = static_cast<float>(centred[row] / norm);
    }
  });
  return result;
}

}  // namespace

std::vector<Range> permutation_blocks(const std::vector<Index>& run_rows, Index block_tr) {
  if (block_tr < 1) throw InputError(fmt::format("block_tr {}: a block has at least 1 TR", block_tr));
  std::vector<Range> blocks;
  Index first = 0;
  for (const Index rows : run_rows) {
    for (Index begin = 0; begin < rows; begin += block_tr) {
      blocks.push_back({first + begin, first + std::min(begin + block_tr, rows)});
    }
    first += rows;
  }
  return blocks;
}

BlockPermutations::BlockPermutations(const std::vector<Index>& run_rows, const SignificanceOptions& options)
    : options_(options), blocks_(permutation_blocks(run_rows, options.block_tr)) {
  if (options.permutations < 1) {
    throw InputError(fmt::format("permutations {}: at least 1 is needed", options.permutations));
  }
  std::map<Index, std::vector<Index>> by_length;
  for (std::size_t block = 0; block < blocks_.size(); ++block) {
    by_length[blocks_[block].size()].push_back(static_cast<Index>(block));
    rows_ += blocks_[block].size();
  }
  for (auto& [length, members] : by_length) {
    if (members.size() < 2) continue;
    distinct_ *= std::tgamma(static_cast<double>(members.size()) + 1);
    classes_.push_back(std::move(members));
  }
}

std::vector<Index> BlockPermutations::order(Index permutation) const {
  std::vector<Index> order(blocks_.size());
  std::iota(order.begin(), order.end(), Index{0});
  Index draw = 0;
  for (const auto& members : classes_) {
    std::vector<Index> shuffled = members;
    for (std::size_t left = shuffled.size(); left > 1; --left) {  // Fisher–Yates
      const Index other = linalg::counter_below(options_.seed, permutation, draw++, static_cast<Index>(left));
      std::swap(shuffled[left - 1], shuffled[static_cast<std::size_t>(other)]);
    }
    for (std::size_t i = 0; i < members.size(); ++i)
      order[static_cast<std::size_t>(members[i])] = shuffled[i];
  }
  return order;
}

VectorD BlockPermutations::p_values(const ConstViewF& truth, const ConstViewF& prediction) const {
  if (truth.rows() != rows_ || prediction.rows() != rows_ || truth.cols() != prediction.cols()) {
    throw Error(
        fmt::format("internal: significance of a truth [{}, {}] and a prediction [{}, {}] for {} rows",
                    truth.rows(), truth.cols(), prediction.rows(), prediction.cols(), rows_));
  }
  const Index targets = truth.cols(), tiles = (targets + lanes - 1) / lanes;
  const auto y = standardised_tiles(truth), p = standardised_tiles(prediction);
  std::vector<Place> places;
  Origins unmoved;
  for (const Range block : blocks_) {
    places.push_back({block.begin, block.size()});
    unmoved.push_back(block.begin);
  }

  /// r of one tile's targets in `together` orders.
  const auto correlations = [&](Index tile, const std::array<const Index*, together>& origins) {
    Sums sums{};
    add_products(y.data() + tile * rows_, p.data() + tile * rows_, places.data(),
                 static_cast<Index>(places.size()), origins.data(), sums.data());
    return sums;
  };

  VectorD observed(tiles * lanes);
  std::vector<Index> reached(static_cast<std::size_t>(tiles * lanes), 0);
  parallel::for_each_in_threads(tiles, [&](Index tile) {
    std::array<const Index*, together> origins;
    origins.fill(unmoved.data());
    const Sums sums = correlations(tile, origins);
    for (Index lane = 0; lane < lanes; ++lane) {
      observed[tile * lanes + lane] = sums[static_cast<std::size_t>(lane)];
    }
  });
  for (Index first = 0; first < options_.permutations; first += orders_at_once) {
    interrupt::check();
    const Index count = std::min(orders_at_once, options_.permutations - first);
    std::vector<Origins> drawn;
    for (Index k = 0; k < count; ++k) {
      drawn.emplace_back();
      for (const Index block : order(first + k)) {
        drawn.back().push_back(blocks_[static_cast<std::size_t>(block)].begin);
      }
    }
    parallel::for_each_in_threads(tiles, [&](Index tile) {
      for (Index k = 0; k < count; k += together) {
        const Index used = std::min(together, count - k);
        std::array<const Index*, together> origins;
        origins.fill(unmoved.data());
        for (Index i = 0; i < used; ++i) {
          origins[static_cast<std::size_t>(i)] = drawn[static_cast<std::size_t>(k + i)].data();
        }
        const Sums sums = correlations(tile, origins);
        for (Index i = 0; i < used; ++i) {
          for (Index lane = 0; lane < lanes; ++lane) {
            const Index v = tile * lanes + lane;
            reached[static_cast<std::size_t>(v)] +=
                sums[static_cast<std::size_t>(i * lanes + lane)] >= observed[v] - tie;
          }
        }
      }
    });
  }
  VectorD result(targets);
  for (Index v = 0; v < targets; ++v) {
    result[v] = static_cast<double>(1 + reached[static_cast<std::size_t>(v)]) /
                static_cast<double>(1 + options_.permutations);
  }
  return result;
}

VectorD q_values(const VectorD& p) {
  const Index count = p.size();
  std::vector<Index> ascending(static_cast<std::size_t>(count));
  std::iota(ascending.begin(), ascending.end(), Index{0});
  std::sort(ascending.begin(), ascending.end(), [&](Index a, Index b) { return p[a] < p[b]; });
  VectorD q(count);
  double least = 1;
  for (Index rank = count; rank > 0; --rank) {
    const Index v = ascending[static_cast<std::size_t>(rank - 1)];
    least = std::min(least, p[v] * static_cast<double>(count) / static_cast<double>(rank));
    q[v] = least;
  }
  return q;
}

}  // namespace cinecortex::encoding
