#include "pca_solvers.hpp"

#include <algorithm>
#include <numeric>
#include <vector>

#include "cinecortex/linalg/counter_random.hpp"
#include "cinecortex/linalg/dense.hpp"
#include "cinecortex/linalg/distributed_eigen.hpp"
#include "cinecortex/parallel/agree.hpp"
#include "columns.hpp"

namespace cinecortex::encoding {
namespace {

using linalg::EigenPairs;
using parallel::agree;
using parallel::Communicator;

Index sketch_size(const PcaShape& shape) {
  const Index oversampled = shape.components + std::max<Index>(16, shape.components / 8);
  return std::min({oversampled, shape.columns, shape.rows - 1});
}

constexpr int most_power_passes = 4;

/// What AᵀA does to k vectors, from one pass over the rows.
struct Projection {
  MatrixD vectors;  ///< [k, d] X, orthonormal rows, the same on every rank
  MatrixD images;   ///< [k, d] X AᵀA
  MatrixD gram;  ///< [k, k] X AᵀA Xᵀ, as a Gram matrix of A Xᵀ: small entries beside large ones are exact
};

Projection project(const FitRows& rows, MatrixD vectors, const Communicator& comm) {
  Projection result = agree(comm, [&] {
    const Index k = vectors.rows();
    MatrixD images = MatrixD::Zero(k, vectors.cols());
    MatrixD gram = MatrixD::Zero(k, k);
    for (const Index block : rows.dealt_to(comm.rank(), comm.size())) {
      const MatrixD a = rows.read(block);
      MatrixD scores(a.rows(), k);
      linalg::gemm(false, true, 1.0, a, vectors, 0.0, scores);
      linalg::gemm(true, false, 1.0, scores, a, 1.0, images);
      linalg::add_gram(scores, gram);
    }
    linalg::mirror_upper(gram);
    return Projection{std::move(vectors), std::move(images), std::move(gram)};
  });
  comm.sum(numbers(result.images));
  comm.sum(numbers(result.gram));
  return result;
}

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

/// max over the first k rows of ‖image - λ vector‖ / λ_1.
double largest_residual(const Projection& rotated, const VectorD& values, Index k) {
  double largest = 0;
  for (Index i = 0; i < k; ++i) {
    largest = std::max(largest, (rotated.images.row(i) - values[i] * rotated.vectors.row(i)).norm());
  }
  return values[0] > 0 ? largest / values[0] : 0.0;
}

/// Rotates the projection's vectors and images to the eigenvectors of its Gram matrix; returns the
/// eigenvalues.
VectorD rotate(Projection& projection, const EigenPairs& of_gram) {
  const EigenPairs sorted = sorted_descending(of_gram);
  rotate_rows(sorted.vectors, projection.vectors);
  rotate_rows(sorted.vectors, projection.images);
  return sorted.values.cwiseMax(0.0);
}

/// The end of both exact solvers. Eigenvectors of a squared matrix are exact to 1e-16 of the largest
/// eigenvalue only; measured on the rows themselves and polished they are as good as a singular value
/// decomposition's.
Leading polish(const FitRows& rows, MatrixD vectors, const Communicator& comm) {
  Projection projection = project(rows, std::move(vectors), comm);
  return agree(comm, [&] {
    const Index k = projection.vectors.rows();
    if (!comm.root()) return Leading{VectorD(k), std::move(projection.vectors), 0.0};
    const VectorD values = rotate(projection, linalg::polish_eigenpairs(std::move(projection.gram)));
    const double residual = largest_residual(projection, values, k);
    return Leading{values, std::move(projection.vectors), residual};
  });
}

/// The last k columns of `ascending`, last first, as rows.
MatrixD leading_rows(const MatrixD& ascending, Index k) {
  return ascending.rightCols(k).rowwise().reverse().transpose();
}

/// A Aᵀ [n, n] on every rank: each rank reads its share of the columns of all blocks, in shards.
class ColumnShards {
 public:
  ColumnShards(const FitRows& rows, const Communicator& comm)
      : rows_(rows), mine_(partition(rows.columns(), comm.size(), comm.rank())) {
    constexpr Index shard_numbers = Index{32} << 20;
    width_ = std::max<Index>(1, shard_numbers / std::max<Index>(1, rows.total_rows()));
  }

  /// fn(columns, shard [columns, n]): the transposed rows, so that a Gram matrix over rows is one over its
  /// columns.
  template <class Fn>
  void for_each(Fn&& fn) const {
    for (Index begin = mine_.begin; begin < mine_.end; begin += width_) {
      const Range columns{begin, std::min(begin + width_, mine_.end)};
      MatrixD shard(columns.size(), rows_.total_rows());
      Index at = 0;
      for (Index block = 0; block < rows_.blocks(); ++block) {
        shard.middleCols(at, rows_.rows(block)) = rows_.read(block, columns).transpose();
        at += rows_.rows(block);
      }
      fn(columns, shard);
    }
  }

 private:
  const FitRows& rows_;
  Range mine_;
  Index width_;
};

MatrixD orthonormalised(MatrixD vectors, const Communicator& comm) {
  // On root alone, so that every rank has the same bits.
  agree(comm, [&] {
    if (comm.root()) linalg::orthonormalise_rows(vectors);
  });
  comm.broadcast(numbers(vectors));
  return vectors;
}

MatrixD random_rows(Index rows, Index columns, std::uint64_t seed) {
  MatrixD values(rows, columns);
  for (Index i = 0; i < rows; ++i) {
    for (Index j = 0; j < columns; ++j) values(i, j) = linalg::counter_normal(seed, i, j);
  }
  return values;
}

struct Costs {
  double covariance, dual, randomized;
};

/// Floating-point operations: products with the rows, eigendecompositions (9 n³), QR (4 d l²).
Costs estimate(const PcaShape& shape) {
  const auto n = static_cast<double>(shape.rows), d = static_cast<double>(shape.columns),
             k = static_cast<double>(shape.components), l = static_cast<double>(sketch_size(shape));
  const double polishing = 4 * n * d * k + n * k * k + 4 * d * k * k;
  return {n * d * d + 9 * d * d * d + polishing,
          n * n * d + 9 * n * n * n + 2 * n * d * k + 4 * d * k * k + polishing,
          (most_power_passes + 1) * (4 * n * d * l + n * l * l + 8 * d * l * l + 9 * l * l * l)};
}

}  // namespace

PcaSolver choose_solver(PcaSolver wanted, const PcaShape& shape) {
  constexpr Index largest_square = 20'000;
  constexpr double always_affordable = 1e13;
  constexpr double worth_being_exact = 10.0;
  if (wanted != PcaSolver::automatic) return wanted;
  const Costs cost = estimate(shape);
  const bool by_columns = cost.covariance <= cost.dual;
  const double exact = by_columns ? cost.covariance : cost.dual;
  const bool fits = (by_columns ? shape.columns : shape.rows) <= largest_square;
  if (fits && exact < std::max(always_affordable, worth_being_exact * cost.randomized)) {
    return by_columns ? PcaSolver::covariance : PcaSolver::dual;
  }
  return PcaSolver::randomized;
}

Leading solve_covariance(const FitRows& rows, const PcaShape& shape, const Communicator& comm) {
  MatrixD gram = agree(comm, [&] {
    MatrixD sum = MatrixD::Zero(shape.columns, shape.columns);
    for (const Index block : rows.dealt_to(comm.rank(), comm.size())) linalg::add_gram(rows.read(block), sum);
    return sum;
  });
  comm.sum(numbers(gram));
  linalg::mirror_upper(gram);
  MatrixD vectors = leading_rows(linalg::eigh(gram, comm).vectors, shape.components);
  gram.resize(0, 0);
  return polish(rows, std::move(vectors), comm);
}

Leading solve_dual(const FitRows& rows, const PcaShape& shape, const Communicator& comm) {
  const ColumnShards shards(rows, comm);
  MatrixD gram = agree(comm, [&] {
    MatrixD sum = MatrixD::Zero(shape.rows, shape.rows);
    shards.for_each([&](Range, const MatrixD& shard) { linalg::add_gram(shard, sum); });
    return sum;
  });
  comm.sum(numbers(gram));
  linalg::mirror_upper(gram);
  const MatrixD left = leading_rows(linalg::eigh(gram, comm).vectors, shape.components);
  gram.resize(0, 0);
  MatrixD vectors = agree(comm, [&] {
    MatrixD mapped = MatrixD::Zero(shape.components, shape.columns);
    shards.for_each([&](Range columns, const MatrixD& shard) {
      linalg::gemm(false, true, 1.0, left, shard, 0.0, mapped.middleCols(columns.begin, columns.size()));
    });
    return mapped;
  });
  comm.sum(numbers(vectors));
  // Vectors of small eigenvalues come back mixed with the large ones: the QR, in this order, takes that out.
  return polish(rows, orthonormalised(std::move(vectors), comm), comm);
}

Leading solve_randomized(const FitRows& rows, const PcaShape& shape, std::uint64_t seed,
                         const Communicator& comm) {
  constexpr double good_enough = 1e-12;
  const Index k = shape.components;
  MatrixD basis = agree(comm, [&] { return random_rows(sketch_size(shape), shape.columns, seed); });
  basis = orthonormalised(std::move(basis), comm);
  for (int pass = 0;; ++pass) {
    Projection projection = project(rows, std::move(basis), comm);
    const EigenPairs of_gram = linalg::eigh(projection.gram, comm);
    Leading leading;
    agree(comm, [&] {
      if (!comm.root()) return;
      leading.values = rotate(projection, of_gram);
      leading.residual = largest_residual(projection, leading.values, k);
    });
    const bool done = pass == most_power_passes || comm.max(leading.residual) < good_enough;
    if (done) {
      return agree(comm, [&] {
        projection.vectors.conservativeResize(k, Eigen::NoChange);
        leading.values.conservativeResize(k);
        leading.vectors = std::move(projection.vectors);
        return std::move(leading);
      });
    }
    basis = orthonormalised(std::move(projection.images), comm);
  }
}

}  // namespace cinecortex::encoding
