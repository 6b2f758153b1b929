#include "pca_costs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "cinecortex/core/error.hpp"
#include "cinecortex/core/memory.hpp"
#include "cinecortex/core/progress.hpp"

namespace cinecortex::encoding {
namespace {

using linalg::LeadingOptions;

/// Times in units of a float64 operation of gemm. Constants measured: docs/mathematics.md §7.
struct Costs {
  double covariance, dual, randomized;
};

constexpr double decomposition = 16.0;  // n³; dsyevd counts 9 n³ with vectors, but is slower than gemm
constexpr double products_a_component = 4.0;
constexpr double read_and_centre = 250.0;  // a number, from the system's cache

double krylov_cost(double n, const LeadingOptions& options, double product) {
  const auto m = static_cast<double>(options.basis), k = static_cast<double>(options.count);
  const double products = products_a_component * (k + static_cast<double>(options.block));
  const double restarts = products / (m - k);
  return products * (product + 6 * n * m) + restarts * (decomposition * m * m * m + 2 * n * m * m);
}

double square_cost(Index n, Index k, bool single) {
  const auto size = static_cast<double>(n);
  const double whole = decomposition * size * size * size;
  const LeadingOptions options = in_memory(k, 0);
  if (linalg::krylov_basis(n, options) == n) return whole;
  return std::min(whole, krylov_cost(size, options, (single ? 1 : 2) * size * size));
}

Costs estimate(const PcaShape& shape) {
  const auto n = static_cast<double>(shape.rows), d = static_cast<double>(shape.columns),
             k = static_cast<double>(shape.components);
  const double with_rows = shape.single ? 0.5 : 1.0;
  const double polish = with_rows * 4 * n * d * k;
  const double reading = read_and_centre * n * d;
  const LeadingOptions options = streamed(shape.components, 0);
  const double passes = products_a_component * (k / static_cast<double>(options.block) + 1);
  const double streaming = linalg::krylov_basis(shape.columns, options) < shape.columns
                               ? krylov_cost(d, options, with_rows * 4 * n * d) + passes * reading
                               : with_rows * 4 * n * d * d + decomposition * d * d * d +
                                     d / static_cast<double>(options.block) * reading;
  return {with_rows * n * d * d + square_cost(shape.columns, shape.components, shape.single) + 2 * k * d * d +
              reading,
          with_rows * n * d * (n + 2 * k) + square_cost(shape.rows, shape.components, shape.single) +
              4 * d * k * k + polish + 3 * reading,
          streaming + polish + 2 * reading};
}

Index krylov_bytes(Index n, const LeadingOptions& options, int ranks) {
  const Index m = linalg::krylov_basis(n, options);
  if (m == n) return 8 * (2 + 6) * n * n;
  const Index slab = std::min<Index>(n, 2048);  // of the basis, copied while it is turned
  return 8 * ((m + 3 * options.block) * n / ranks + (options.count + 2 * options.block) * n + 6 * m * m +
              m * slab);
}

Index square_bytes(Index n, Index k, bool single, int ranks) {
  const Index summed = (single ? 12 : 8) * n * n;
  const Index solved =
      whole_is_cheaper(n, k, single) ? 8 * 7 * n * n : summed + krylov_bytes(n, in_memory(k, 0), ranks);
  return std::max(summed, solved);
}

}  // namespace

std::string name_of(PcaSolver solver) {
  switch (solver) {
    case PcaSolver::automatic:
      return "auto";
    case PcaSolver::covariance:
      return "covariance";
    case PcaSolver::dual:
      return "dual";
    case PcaSolver::randomized:
      return "randomized";
  }
  throw Error("internal: a PCA solver without a name");
}

LeadingOptions in_memory(Index k, std::uint64_t seed) {
  LeadingOptions options;
  options.count = k;
  options.block = k < 64 ? 8 : std::min<Index>((k + 127) / 128 * 16, 64);  // gemm likes sixteens
  options.basis = 2 * k + options.block;
  options.kept = 0.2;
  options.most_products = 40 * (k + options.block);
  options.seed = seed;
  return options;
}

LeadingOptions streamed(Index k, std::uint64_t seed) {
  LeadingOptions options = in_memory(k, seed);
  options.block = 2 * options.block;
  options.basis = 3 * k + options.block;
  options.kept = 0.5;  // a product is a pass over the rows
  return options;
}

bool whole_is_cheaper(Index n, Index k, bool single) {
  const auto size = static_cast<double>(n);
  return square_cost(n, k, single) >= decomposition * size * size * size;
}

double pca_bytes(PcaSolver solver, const PcaShape& shape, int ranks) {
  const Index d = shape.columns, k = shape.components, number = shape.single ? 4 : 8;
  const Index pieces = Index{64} << 20, buffers = Index{48} << 20;  // the latter of BLAS, MPI and HDF5
  const Index polish = k * d * 24;
  const auto at_the_peak = [&]() -> Index {
    switch (solver) {
      case PcaSolver::covariance:
        return std::max(square_bytes(d, k, shape.single, ranks), polish);
      case PcaSolver::dual:
        return std::max({square_bytes(shape.rows, k, shape.single, ranks) + 2 * shard_numbers * number,
                         8 * k * (d + shape.rows) + 2 * shard_numbers * number, polish});
      case PcaSolver::randomized: {
        const LeadingOptions options = streamed(k, 0);
        return std::max(krylov_bytes(d, options, ranks) + options.block * d * (8 + number), polish);
      }
      case PcaSolver::automatic:
        break;
    }
    throw Error("internal: the PCA solver was not chosen");
  };
  constexpr Index runs = 3;  // one in use, one that comes, one as it lies in the file
  return static_cast<double>(at_the_peak() + pieces + buffers + runs * shape.block_rows * d * number);
}

double pca_operations(PcaSolver solver, const PcaShape& shape) {
  const Costs cost = estimate(shape);
  switch (solver) {
    case PcaSolver::covariance:
      return cost.covariance;
    case PcaSolver::dual:
      return cost.dual;
    default:
      return cost.randomized;
  }
}

PcaSolver choose_solver(PcaSolver wanted, const PcaShape& shape, int ranks, double bytes) {
  std::vector<PcaSolver> allowed{wanted};
  if (wanted == PcaSolver::automatic) {
    allowed = {PcaSolver::covariance, PcaSolver::dual, PcaSolver::randomized};
  }
  double least = std::numeric_limits<double>::infinity();
  for (const PcaSolver solver : allowed) least = std::min(least, pca_bytes(solver, shape, ranks));
  std::erase_if(allowed, [&](PcaSolver solver) { return pca_bytes(solver, shape, ranks) > bytes; });
  if (allowed.empty()) {
    throw InputError(fmt::format(
        "pca of {} fit rows × {} columns: a rank needs {} for {} components{} beside the {} that it "
        "holds now, but {} is left of its memory; give more (--memory), fewer ranks a node, or {}",
        shape.rows, shape.columns, format_bytes(least), shape.components,
        wanted == PcaSolver::automatic ? "" : fmt::format(" by the {} solver", name_of(wanted)),
        format_bytes(static_cast<double>(resident_bytes())), format_bytes(std::max(bytes, 0.0)),
        wanted == PcaSolver::automatic ? "fewer components" : "leave the solver to `auto`"));
  }
  return *std::min_element(allowed.begin(), allowed.end(), [&](PcaSolver a, PcaSolver b) {
    return pca_operations(a, shape) < pca_operations(b, shape);
  });
}

}  // namespace cinecortex::encoding
