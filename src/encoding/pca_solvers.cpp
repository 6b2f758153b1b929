#include "pca_solvers.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "cinecortex/linalg/dense.hpp"
#include "cinecortex/linalg/distributed_eigen.hpp"
#include "cinecortex/linalg/leading_eigen.hpp"
#include "cinecortex/linalg/product_sum.hpp"
#include "cinecortex/parallel/agree.hpp"
#include "cinecortex/parallel/threads.hpp"
#include "column_moments.hpp"
#include "columns.hpp"
#include "pca_costs.hpp"

namespace cinecortex::encoding {
namespace {

using linalg::EigenPairs;
using linalg::GramSum;
using linalg::LeadingOptions;
using linalg::LeadingPairs;
using linalg::ProductSum;
using parallel::agree;
using parallel::Communicator;

// ---- the rows ----

/// The same where products are in Scalar: float32 ones stop converging somewhere below this.
template <class Scalar>
LeadingOptions rounded_to(LeadingOptions options) {
  constexpr double of_float32 = 1e-6;
  if constexpr (std::is_same_v<Scalar, float>) options.rounding = of_float32;
  return options;
}

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
      const Matrix<Scalar> scores = linalg::product(false, true, piece, axes);
      sum.add(scores, piece);
      sum.settle();
      if (gram == nullptr) return;
      gram->add(ConstView<Scalar>(scores));
      gram->settle();
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
  linalg::sum_symmetric(result.gram, comm);
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
  if (diagonal.minCoeff() > smallest_ratio * diagonal.maxCoeff()) return linalg::eigh(std::move(gram));
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
  return linalg::product(false, false, vectors, square.middleCols(mine.begin, mine.size()));
}

MatrixD part_of_product(const MatrixD& vectors, const MatrixF& square, Range mine) {
  MatrixF images(vectors.rows(), mine.size());
  linalg::gemm(false, false, 1.0F, MatrixF(vectors.cast<float>()), square.middleCols(mine.begin, mine.size()),
               0.0F, images);
  return images.cast<double>();
}

MatrixF rounded(const MatrixD& square, const Communicator& comm) {
  return agree(comm, [&] {
    MatrixF result(square.rows(), square.cols());
    parallel::for_each_in_threads(square.rows(),
                                  [&](Index i) { result.row(i) = square.row(i).cast<float>(); });
    return result;
  });
}

/// Calls take(square, vectors [k, n]) with the leading eigenvectors of a matrix that every rank holds, and with the matrix
/// as they were found: rounding that of float32 data to float32 once more moves no eigenvector further than its sums
/// did, for the roundings of n² entries cancel.
template <class Scalar, class Take>
void with_leading_vectors(MatrixD square, Index k, std::uint64_t seed, const Communicator& comm,
                          bool& converged, Take take) {
  const Index n = square.rows();
  if (whole_is_cheaper(n, k, std::is_same_v<Scalar, float>)) {
    return take(square, leading_rows(linalg::eigh(square, comm).vectors, k));
  }
  const Range mine = partition(n, comm.size(), comm.rank());
  const auto solve = [&](const auto& multiplied) {
    const auto product = [&](const MatrixD& vectors) { return part_of_product(vectors, multiplied, mine); };
    LeadingPairs pairs = linalg::leading_eigenpairs(n, product, rounded_to<Scalar>(in_memory(k, seed)), comm);
    converged = pairs.converged;
    take(multiplied, std::move(pairs.vectors));
  };
  if constexpr (std::is_same_v<Scalar, float>) {
    const MatrixF single = rounded(square, comm);
    square.resize(0, 0);
    solve(single);
  } else {
    solve(square);
  }
}

/// Values and residual on the matrix itself, where that is as good as on the rows: no value is so small beside
/// the largest that rounding of the sums, or of a float32 matrix, shows. Returns whether it is.
template <class Square>
bool measure(const Square& square, const MatrixD& vectors, Solution& solution, const Communicator& comm) {
  constexpr double smallest_ratio = std::is_same_v<Square, MatrixF> ? 1e-3 : 1e-4;
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
      sum.settle();
    });
    return sum.take();
  });
  linalg::sum_symmetric(gram, comm);
  moments.merge(comm);
  Solution solution;
  solution.scaling = scaling_of(moments, shifted_by, rows.scale_mode());
  centre_gram(gram, moments.mean(), static_cast<double>(shape.rows), solution.scaling.scale);
  rows.centre(solution.scaling.mean, solution.scaling.scale);
  MatrixD vectors;
  bool measured = false;
  with_leading_vectors<Scalar>(std::move(gram), shape.components, seed, comm, solution.converged,
                               [&](const auto& square, MatrixD found) {
                                 measured = measure(square, found, solution, comm);
                                 vectors = std::move(found);
                               });
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
  /// Shards are the same for any number of ranks, so that their float32 products round alike.
  ColumnShards(const PcaShape& shape, const Communicator& comm)
      : width_(std::clamp<Index>(shard_numbers / std::max<Index>(1, shape.rows), 1, 1024)) {
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
      sum.settle();
    });
    return sum.take();
  });
  linalg::sum_symmetric(gram, comm);
  comm.sum(numbers(scaling.mean));
  comm.sum(numbers(scaling.scale));
  comm.broadcast(numbers(scaling.mean));
  comm.broadcast(numbers(scaling.scale));
  scaling.total = gram.trace();
  rows.centre(scaling.mean, scaling.scale);
  MatrixD left;
  with_leading_vectors<Scalar>(std::move(gram), shape.components, seed, comm, solution.converged,
                               [&](const auto&, MatrixD found) { left = std::move(found); });
  MatrixD vectors = agree(comm, [&] {
    const Matrix<Scalar> axes = left.cast<Scalar>();
    MatrixD mapped = MatrixD::Zero(shape.components, shape.columns);
    shards.for_each([&](Range columns) {
      const Matrix<Scalar> part = linalg::product(false, true, axes, rows.transposed<Scalar>(columns));
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
  LeadingPairs pairs = linalg::leading_eigenpairs(shape.columns, product,
                                                  rounded_to<Scalar>(streamed(shape.components, seed)), comm);
  solution.converged = pairs.converged;
  polish<Scalar>(rows, std::move(pairs.vectors), solution, comm);
  return solution;
}

}  // namespace

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
