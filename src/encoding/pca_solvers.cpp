#include "pca_solvers.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "cinecortex/core/error.hpp"
#include "cinecortex/linalg/dense.hpp"
#include "cinecortex/linalg/distributed_eigen.hpp"
#include "cinecortex/linalg/leading_eigen.hpp"
#include "cinecortex/linalg/product_sum.hpp"
#include "cinecortex/parallel/agree.hpp"
#include "cinecortex/parallel/threads.hpp"
#include "column_moments.hpp"
#include "columns.hpp"

namespace cinecortex::encoding {
namespace {

using linalg::EigenPairs;
using linalg::GramSum;
using linalg::LeadingOptions;
using linalg::LeadingPairs;
using linalg::ProductSum;
using parallel::agree;
using parallel::Communicator;

// ---- what a solver costs and holds ----

/// For a square in memory: small blocks need the fewest products.
LeadingOptions in_memory(Index k, std::uint64_t seed) {
  LeadingOptions options;
  options.count = k;
  options.block = k < 64 ? 8 : std::min<Index>((k + 127) / 128 * 16, 64);  // gemm likes sixteens
  options.basis = 2 * k + options.block;
  options.most_products = 40 * (k + options.block);
  options.seed = seed;
  return options;
}

/// For rows that are read again for every block: larger blocks and a larger basis need fewer passes.
LeadingOptions streamed(Index k, std::uint64_t seed) {
  LeadingOptions options = in_memory(k, seed);
  options.block = 2 * options.block;
  options.basis = 3 * k + options.block;
  return options;
}

/// Times in units of a float64 operation of gemm. Constants measured: docs/mathematics.md §7.
struct Costs {
  double covariance, dual, randomized;
};

constexpr double decomposition = 16.0;  // n³; dsyevd counts 9 n³ with vectors, but is slower than gemm
constexpr double products_a_component = 4.0;

double krylov_cost(double n, const LeadingOptions& options, double product) {
  const auto m = static_cast<double>(options.basis), k = static_cast<double>(options.count);
  const double products = products_a_component * (k + static_cast<double>(options.block));
  const double restarts = products / (m - k);
  return products * (product + 6 * n * m) + restarts * (decomposition * m * m * m + 2 * n * m * m);
}

double square_cost(Index n, Index k) {
  const auto size = static_cast<double>(n);
  const double whole = decomposition * size * size * size;
  const LeadingOptions options = in_memory(k, 0);
  if (linalg::krylov_basis(n, options) == n) return whole;
  return std::min(whole, krylov_cost(size, options, 2 * size * size));
}

bool whole_is_cheaper(Index n, Index k) {
  const auto size = static_cast<double>(n);
  return square_cost(n, k) >= decomposition * size * size * size;
}

Costs estimate(const PcaShape& shape) {
  const auto n = static_cast<double>(shape.rows), d = static_cast<double>(shape.columns),
             k = static_cast<double>(shape.components);
  const double with_rows = shape.single ? 0.5 : 1.0;
  const double polish = with_rows * 4 * n * d * k;
  const double reading = 20 * n * d;
  const LeadingOptions options = streamed(shape.components, 0);
  const double passes = products_a_component * (k / static_cast<double>(options.block) + 1);
  const double streaming = linalg::krylov_basis(shape.columns, options) < shape.columns
                               ? krylov_cost(d, options, with_rows * 4 * n * d) + passes * reading
                               : with_rows * 4 * n * d * d + decomposition * d * d * d +
                                     d / static_cast<double>(options.block) * reading;
  return {with_rows * n * d * d + square_cost(shape.columns, shape.components) + 2 * k * d * d + reading,
          with_rows * n * d * (n + 2 * k) + square_cost(shape.rows, shape.components) + 4 * d * k * k +
              polish + 3 * reading,
          streaming + polish + 2 * reading};
}

// ---- the rows ----

template <class Scalar, class Fn>
void for_each_piece(const FitRows& rows, const Communicator& comm, Fn&& fn) {
  rows.for_each_piece<Scalar>(comm.rank(), comm.size(), std::forward<Fn>(fn));
}

/// Rows minus the first run's means from now on: near enough to the means that sums of squares keep their digits.
template <class Scalar>
VectorD shift(FitRows& rows, const Communicator& comm) {
  VectorD means =
      agree(comm, [&] { return comm.root() ? rows.first_means<Scalar>() : VectorD(rows.columns()); });
  comm.broadcast(numbers(means));
  rows.centre(means, VectorD::Ones(rows.columns()));
  return means;
}

Scaling scaling_of(const ColumnMoments& shifted, const VectorD& by, Scale mode) {
  Scaling scaling;
  scaling.mean = by + shifted.mean();
  scaling.scale = mode == Scale::global ? shifted.scale() : VectorD::Ones(by.size());
  scaling.total = (shifted.squared_deviations().array() / scaling.scale.array().square()).sum();
  return scaling;
}

/// What AᵀA does to k vectors, from one pass over the rows.
struct Projection {
  MatrixD vectors;  ///< [k, d] X, orthonormal rows, the same on every rank
  MatrixD images;   ///< [k, d] X AᵀA
  MatrixD gram;  ///< [k, k] X AᵀA Xᵀ, as a Gram matrix of A Xᵀ: small entries beside large ones are exact
};

template <class Scalar>
MatrixD images_of(const FitRows& rows, const MatrixD& vectors, GramSum* gram, const Communicator& comm) {
  MatrixD images = agree(comm, [&] {
    const Matrix<Scalar> axes = vectors.cast<Scalar>();
    ProductSum sum(vectors.rows(), vectors.cols());
    for_each_piece<Scalar>(rows, comm, [&](const ConstView<Scalar>& piece) {
      Matrix<Scalar> scores(piece.rows(), axes.rows());
      linalg::gemm(false, true, Scalar{1}, piece, axes, Scalar{0}, scores);
      sum.add(scores, piece);
      if (gram != nullptr) gram->add(ConstView<Scalar>(scores));
    });
    return sum.take();
  });
  if (comm.size() > 1) comm.sum(numbers(images));
  return images;
}

template <class Scalar>
Projection project(const FitRows& rows, MatrixD vectors, const Communicator& comm) {
  GramSum gram(vectors.rows());
  MatrixD images = images_of<Scalar>(rows, vectors, &gram, comm);
  Projection result{std::move(vectors), std::move(images), gram.take()};
  comm.sum(numbers(result.gram));
  return result;
}

// ---- the end of every solver ----

EigenPairs sorted_descending(const EigenPairs& pairs) {
  const Index k = pairs.values.size();
  std::vector<Index> order(static_cast<std::size_t>(k));
  std::iota(order.begin(), order.end(), Index{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](Index a, Index b) { return pairs.values[a] > pairs.values[b]; });
  EigenPairs sorted{VectorD(k), MatrixD(k, k)};
  for (Index i = 0; i < k; ++i) {
    sorted.values[i] = pairs.values[order[static_cast<std::size_t>(i)]];
    sorted.vectors.col(i) = pairs.vectors.col(order[static_cast<std::size_t>(i)]);
  }
  return sorted;
}

/// rows := rotationᵀ rows, in slabs of columns so that only a slab is copied.
void rotate_rows(const MatrixD& rotation, MatrixD& rows) {
  constexpr Index slab = 2048;
  for (Index begin = 0; begin < rows.cols(); begin += slab) {
    auto columns = rows.middleCols(begin, std::min(slab, rows.cols() - begin));
    const MatrixD before = columns;
    linalg::gemm(true, false, 1.0, rotation, before, 0.0, columns);
  }
}

/// max over the rows of ‖image - λ vector‖ / λ_1.
double largest_residual(const Projection& rotated, const VectorD& values) {
  double largest = 0;
  for (Index i = 0; i < values.size(); ++i) {
    largest = std::max(largest, (rotated.images.row(i) - values[i] * rotated.vectors.row(i)).norm());
  }
  return values[0] > 0 ? largest / values[0] : 0.0;
}

/// Eigenpairs of a nearly diagonal Gram matrix. Jacobi rotations keep the relative accuracy of small values beside
/// large ones; where none is small divide and conquer, which is faster, has it too.
EigenPairs accurate_eigenpairs(MatrixD gram, double smallest_ratio) {
  const VectorD diagonal = gram.diagonal();
  if (diagonal.minCoeff() > smallest_ratio * diagonal.maxCoeff()) return linalg::eigh(gram);
  return linalg::polish_eigenpairs(std::move(gram));
}

/// Eigenvectors of a squared matrix are exact to 1e-16 (of float32 data: 1e-8) of the largest eigenvalue only;
/// measured on the rows themselves and polished they are as good as a singular value decomposition's.
template <class Scalar>
void polish(const FitRows& rows, MatrixD vectors, Solution& solution, const Communicator& comm) {
  constexpr double smallest_ratio = std::is_same_v<Scalar, float> ? 1e-9 : 1e-4;
  Projection projection = project<Scalar>(rows, std::move(vectors), comm);
  agree(comm, [&] {
    solution.values = VectorD(projection.vectors.rows());
    if (comm.root()) {
      const EigenPairs pairs =
          sorted_descending(accurate_eigenpairs(std::move(projection.gram), smallest_ratio));
      rotate_rows(pairs.vectors, projection.vectors);
      rotate_rows(pairs.vectors, projection.images);
      solution.values = pairs.values.cwiseMax(0.0);
      solution.residual = largest_residual(projection, solution.values);
    }
    solution.vectors = std::move(projection.vectors);
  });
}

// ---- squares in memory ----

/// The last k columns of `ascending`, last first, as rows.
MatrixD leading_rows(const MatrixD& ascending, Index k) {
  return ascending.rightCols(k).rowwise().reverse().transpose();
}

/// This rank's columns of vectors · square.
MatrixD part_of_product(const MatrixD& vectors, const MatrixD& square, Range mine) {
  MatrixD images(vectors.rows(), mine.size());
  linalg::gemm(false, false, 1.0, vectors, square.middleCols(mine.begin, mine.size()), 0.0, images);
  return images;
}

MatrixD part_of_product(const MatrixD& vectors, const MatrixF& square, Range mine) {
  MatrixF images(vectors.rows(), mine.size());
  linalg::gemm(false, false, 1.0F, MatrixF(vectors.cast<float>()), square.middleCols(mine.begin, mine.size()),
               0.0F, images);
  return images.cast<double>();
}

/// [k, n], of a matrix that every rank holds. Rounding the matrix of float32 data to float32 once more moves no
/// eigenvector further than its sums did: the roundings of n² entries cancel.
template <class Scalar>
MatrixD leading_vectors(const MatrixD& square, Index k, std::uint64_t seed, const Communicator& comm,
                        bool& converged) {
  const Index n = square.rows();
  if (whole_is_cheaper(n, k)) return leading_rows(linalg::eigh(square, comm).vectors, k);
  const Range mine = partition(n, comm.size(), comm.rank());
  MatrixF rounded;
  if constexpr (std::is_same_v<Scalar, float>) {
    agree(comm, [&] { rounded = square.cast<float>(); });
  }
  const auto product = [&](const MatrixD& vectors) {
    if constexpr (std::is_same_v<Scalar, float>) return part_of_product(vectors, rounded, mine);
    return part_of_product(vectors, square, mine);
  };
  LeadingPairs pairs = linalg::leading_eigenpairs(n, product, in_memory(k, seed), comm);
  converged = pairs.converged;
  return std::move(pairs.vectors);
}

/// Values and residual on the matrix itself, where that is as good as on the rows: no value is so small beside
/// the largest that the sums' rounding shows. Returns whether it is.
bool measure(const MatrixD& square, const MatrixD& vectors, Solution& solution, const Communicator& comm) {
  constexpr double smallest_ratio = 1e-4;
  const Range mine = partition(square.rows(), comm.size(), comm.rank());
  const auto part = vectors.middleCols(mine.begin, mine.size());
  const MatrixD images = part_of_product(vectors, square, mine);
  VectorD values = images.cwiseProduct(part).rowwise().sum();
  comm.sum(numbers(values));
  comm.broadcast(numbers(values));
  if (!(values.minCoeff() > smallest_ratio * values[0])) return false;
  VectorD squares = (images - values.asDiagonal() * part).rowwise().squaredNorm();
  comm.sum(numbers(squares));
  solution.values = values;
  solution.residual = std::sqrt(squares.maxCoeff()) / values[0];
  return true;
}

/// From sums of shifted rows to those of centred and scaled ones.
void centre_gram(MatrixD& gram, const VectorD& shifted_mean, double rows, const VectorD& scale) {
  parallel::for_each_in_threads(gram.rows(), [&](Index i) {
    gram.row(i) -= (rows * shifted_mean[i]) * shifted_mean.transpose();
    gram.row(i).array() /= scale[i] * scale.transpose().array();
  });
}

template <class Scalar>
Solution covariance(FitRows& rows, const PcaShape& shape, std::uint64_t seed, const Communicator& comm) {
  const VectorD shifted_by = shift<Scalar>(rows, comm);
  ColumnMoments moments(shape.columns);
  MatrixD gram = agree(comm, [&] {
    GramSum sum(shape.columns);
    for_each_piece<Scalar>(rows, comm, [&](const ConstView<Scalar>& piece) {
      moments.add<Scalar>(piece);
      sum.add(piece);
    });
    return sum.take();
  });
  if (comm.size() > 1) comm.sum(numbers(gram));
  moments.merge(comm);
  Solution solution;
  solution.scaling = scaling_of(moments, shifted_by, rows.scale_mode());
  centre_gram(gram, moments.mean(), static_cast<double>(shape.rows), solution.scaling.scale);
  rows.centre(solution.scaling.mean, solution.scaling.scale);
  MatrixD vectors = leading_vectors<Scalar>(gram, shape.components, seed, comm, solution.converged);
  const bool measured = measure(gram, vectors, solution, comm);
  gram.resize(0, 0);
  if (measured) {
    solution.vectors = std::move(vectors);
  } else {
    polish<Scalar>(rows, std::move(vectors), solution, comm);
  }
  return solution;
}

/// This rank's share of the columns, in shards of all fit rows.
class ColumnShards {
 public:
  static constexpr Index numbers = Index{32} << 20;

  /// Shards are the same for any number of ranks, so that their float32 products round alike.
  ColumnShards(const PcaShape& shape, const Communicator& comm)
      : width_(std::clamp<Index>(numbers / std::max<Index>(1, shape.rows), 1, 1024)) {
    const Range shards = partition((shape.columns + width_ - 1) / width_, comm.size(), comm.rank());
    mine_ = {std::min(shards.begin * width_, shape.columns), std::min(shards.end * width_, shape.columns)};
  }

  /// fn(columns)
  template <class Fn>
  void for_each(Fn&& fn) const {
    for (Index begin = mine_.begin; begin < mine_.end; begin += width_) {
      fn(Range{begin, std::min(begin + width_, mine_.end)});
    }
  }

 private:
  Index width_;
  Range mine_;
};

/// A shard of shifted rows [columns, n]: centred and scaled in place, its moments into `scaling`.
template <class Scalar>
void centre_shard(Matrix<Scalar>& shard, Range columns, const VectorD& shifted_by, Scale mode,
                  Scaling& scaling) {
  parallel::for_each_in_threads(shard.rows(), [&](Index i) {
    const Index column = columns.begin + i;
    const MatrixD values = shard.row(i).transpose().template cast<double>();
    ColumnMoments moments(1);
    moments.add<double>(values);
    const double squares = moments.squared_deviations()[0];
    scaling.mean[column] = shifted_by[column] + moments.mean()[0];
    scaling.scale[column] = mode == Scale::global ? moments.scale()[0] : 1.0;
    shard.row(i) = ((values.col(0).array() - moments.mean()[0]) / scaling.scale[column])
                       .matrix()
                       .transpose()
                       .template cast<Scalar>();
    if (squares == 0) shard.row(i).setZero();
  });
}

MatrixD orthonormalised(MatrixD vectors, const Communicator& comm) {
  // On root alone, so that every rank has the same bits.
  agree(comm, [&] {
    if (comm.root()) linalg::orthonormalise_rows(vectors);
  });
  comm.broadcast(numbers(vectors));
  return vectors;
}

template <class Scalar>
Solution dual(FitRows& rows, const PcaShape& shape, std::uint64_t seed, const Communicator& comm) {
  const VectorD shifted_by = shift<Scalar>(rows, comm);
  const ColumnShards shards(shape, comm);
  Solution solution;
  Scaling& scaling = solution.scaling;
  scaling.mean = scaling.scale = VectorD::Zero(shape.columns);
  MatrixD gram = agree(comm, [&] {
    GramSum sum(shape.rows);
    shards.for_each([&](Range columns) {
      Matrix<Scalar> shard = rows.transposed<Scalar>(columns);
      centre_shard(shard, columns, shifted_by, rows.scale_mode(), scaling);
      sum.add(shard);
    });
    return sum.take();
  });
  comm.sum(numbers(gram));
  comm.sum(numbers(scaling.mean));
  comm.sum(numbers(scaling.scale));
  comm.broadcast(numbers(scaling.mean));
  comm.broadcast(numbers(scaling.scale));
  scaling.total = gram.trace();
  rows.centre(scaling.mean, scaling.scale);
  const MatrixD left = leading_vectors<Scalar>(gram, shape.components, seed, comm, solution.converged);
  gram.resize(0, 0);
  MatrixD vectors = agree(comm, [&] {
    const Matrix<Scalar> axes = left.cast<Scalar>();
    MatrixD mapped = MatrixD::Zero(shape.components, shape.columns);
    shards.for_each([&](Range columns) {
      Matrix<Scalar> part(shape.components, columns.size());
      linalg::gemm(false, true, Scalar{1}, axes, rows.transposed<Scalar>(columns), Scalar{0}, part);
      mapped.middleCols(columns.begin, columns.size()) = part.template cast<double>();
    });
    return mapped;
  });
  comm.sum(numbers(vectors));
  // Vectors of small eigenvalues come back mixed with the large ones: the QR, in this order, takes that out.
  polish<Scalar>(rows, orthonormalised(std::move(vectors), comm), solution, comm);
  return solution;
}

template <class Scalar>
Solution randomized(FitRows& rows, const PcaShape& shape, std::uint64_t seed, const Communicator& comm) {
  const VectorD shifted_by = shift<Scalar>(rows, comm);
  ColumnMoments moments(shape.columns);
  agree(comm, [&] {
    for_each_piece<Scalar>(rows, comm, [&](const ConstView<Scalar>& piece) { moments.add<Scalar>(piece); });
  });
  moments.merge(comm);
  Solution solution;
  solution.scaling = scaling_of(moments, shifted_by, rows.scale_mode());
  rows.centre(solution.scaling.mean, solution.scaling.scale);
  const Range mine = partition(shape.columns, comm.size(), comm.rank());
  const auto product = [&](const MatrixD& vectors) -> MatrixD {
    return images_of<Scalar>(rows, vectors, nullptr, comm).middleCols(mine.begin, mine.size());
  };
  LeadingPairs pairs =
      linalg::leading_eigenpairs(shape.columns, product, streamed(shape.components, seed), comm);
  solution.converged = pairs.converged;
  polish<Scalar>(rows, std::move(pairs.vectors), solution, comm);
  return solution;
}

// ---- memory ----

Index krylov_bytes(Index n, const LeadingOptions& options, int ranks) {
  const Index m = linalg::krylov_basis(n, options);
  if (m == n) return 8 * (2 + 6) * n * n;
  return 8 * ((m + 3 * options.block) * n / ranks + (options.count + 2 * options.block) * n + 6 * m * m);
}

Index square_bytes(Index n, Index k, bool single, int ranks) {
  const Index summed = (single ? 12 : 8) * n * n;
  const Index solved =
      whole_is_cheaper(n, k) ? 8 * 7 * n * n : 8 * n * n + krylov_bytes(n, in_memory(k, 0), ranks);
  return std::max(summed, solved);
}

}  // namespace

Index pca_bytes(PcaSolver solver, const PcaShape& shape, int ranks) {
  const Index d = shape.columns, k = shape.components, number = shape.single ? 4 : 8;
  const Index pieces = Index{64} << 20;
  const Index polish = k * d * 24 + pieces;
  switch (choose_solver(solver, shape)) {
    case PcaSolver::covariance:
      return std::max(square_bytes(d, k, shape.single, ranks) + pieces, polish);
    case PcaSolver::dual:
      return std::max({square_bytes(shape.rows, k, shape.single, ranks) + 2 * ColumnShards::numbers * number,
                       8 * k * (d + shape.rows) + 2 * ColumnShards::numbers * number, polish});
    case PcaSolver::randomized: {
      const LeadingOptions options = streamed(k, 0);
      return std::max(krylov_bytes(d, options, ranks) + options.block * d * (8 + number) + pieces, polish);
    }
    case PcaSolver::automatic:
      break;
  }
  throw Error("internal: the PCA solver was not chosen");
}

double pca_operations(PcaSolver solver, const PcaShape& shape) {
  const Costs cost = estimate(shape);
  switch (choose_solver(solver, shape)) {
    case PcaSolver::covariance:
      return cost.covariance;
    case PcaSolver::dual:
      return cost.dual;
    default:
      return cost.randomized;
  }
}

PcaSolver choose_solver(PcaSolver wanted, const PcaShape& shape) {
  constexpr Index largest_square = 20'000;
  if (wanted != PcaSolver::automatic) return wanted;
  const Costs cost = estimate(shape);
  const bool by_columns = cost.covariance <= cost.dual;
  const bool fits = (by_columns ? shape.columns : shape.rows) <= largest_square;
  if (!fits || cost.randomized < std::min(cost.covariance, cost.dual)) return PcaSolver::randomized;
  return by_columns ? PcaSolver::covariance : PcaSolver::dual;
}

Solution solve_covariance(FitRows& rows, const PcaShape& shape, std::uint64_t seed,
                          const Communicator& comm) {
  return rows.single() ? covariance<float>(rows, shape, seed, comm)
                       : covariance<double>(rows, shape, seed, comm);
}

Solution solve_dual(FitRows& rows, const PcaShape& shape, std::uint64_t seed, const Communicator& comm) {
  return rows.single() ? dual<float>(rows, shape, seed, comm) : dual<double>(rows, shape, seed, comm);
}

Solution solve_randomized(FitRows& rows, const PcaShape& shape, std::uint64_t seed,
                          const Communicator& comm) {
  return rows.single() ? randomized<float>(rows, shape, seed, comm)
                       : randomized<double>(rows, shape, seed, comm);
}

}  // namespace cinecortex::encoding
