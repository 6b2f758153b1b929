#include "cinecortex/linalg/distributed_eigen.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <exception>
#include <vector>

#include "blacs_grid.hpp"
#include "cinecortex/core/error.hpp"
#include "cinecortex/parallel/agree.hpp"
#include "fortran.hpp"

namespace cinecortex::linalg {
namespace {

constexpr Index largest_block = 64;

struct GridShape {
  int rows, columns;
  int size() const { return rows * columns; }
};

/// Nearly square, and no larger than there are blocks: the ranks that are left over only wait for the result.
GridShape choose_grid(int ranks, Index n) {
  const int blocks = checked_cast<int>((n + largest_block - 1) / largest_block);
  const int rows = std::min(blocks, static_cast<int>(std::sqrt(static_cast<double>(ranks))));
  return {rows, std::min(blocks, ranks / rows)};
}

using ColumnMajor = Eigen::MatrixXd;  // ScaLAPACK's local layout

/// This rank's share of the eigenproblem on a grid; eigenvectors are left distributed.
class BlockCyclicEigen {
 public:
  BlockCyclicEigen(const ConstViewD& symmetric, const BlacsGrid& grid)
      : grid_(grid),
        n_(checked_cast<int>(symmetric.rows())),
        row_map_(n_, largest_block, grid.row(), grid.rows()),
        column_map_(n_, largest_block, grid.column(), grid.columns()),
        matrix_(row_map_.size_local(), column_map_.size_local()),
        vectors_(matrix_.rows(), matrix_.cols()),
        values_(n_) {
    for (Index j = 0; j < matrix_.cols(); ++j) {
      for (Index i = 0; i < matrix_.rows(); ++i) {
        matrix_(i, j) = symmetric(row_map_.global(i), column_map_.global(j));
      }
    }
    descriptor_ = describe();
    reserve_workspace();
  }

  /// Collective: over the grid.
  void solve() {
    const int info = call_pdsyevd();
    if (info != 0) {
      throw NumericalError(fmt::format(
          "the eigendecomposition of a {0} × {0} matrix did not converge (pdsyevd: {1})", n_, info));
    }
  }

  const VectorD& values() const { return values_; }

  void scatter_vectors_into(MatrixD& global) const {
    for (Index j = 0; j < vectors_.cols(); ++j) {
      for (Index i = 0; i < vectors_.rows(); ++i) {
        global(row_map_.global(i), column_map_.global(j)) = vectors_(i, j);
      }
    }
  }

 private:
  std::vector<int> describe() const {
    std::vector<int> descriptor(9);
    const int block = checked_cast<int>(largest_block);
    const int lld = std::max(1, checked_cast<int>(matrix_.rows()));
    const int first = 0, context = grid_.context();
    int info = 0;
    descinit_(descriptor.data(), &n_, &n_, &block, &block, &first, &first, &context, &lld, &info);
    if (info != 0) throw Error(fmt::format("internal: descinit returned {} for n = {}", info, n_));
    return descriptor;
  }

  /// pdsyevd's manual and its own query ask for less than the routines below it need when n is small beside
  /// the block (they then complain and leave the vectors wrong): room for each of them, after the diagonals.
  void reserve_workspace() {
    const Index n = n_, rows = matrix_.rows(), columns = matrix_.cols(), nb = largest_block;
    const Index reduction = 3 * n + std::max(nb * (rows + 1), 3 * nb);      // pdsytrd
    const Index tridiagonal = 1 + 6 * n + 2 * rows * columns;               // pdstedc
    const Index sorting = std::max(n, rows * (nb + columns));               // pdlasrt
    const Index back_transformation = (rows + columns) * nb + 2 * nb * nb;  // pdormtr
    const Index size = 4 * n + std::max({reduction, tridiagonal, sorting, back_transformation});
    checked_cast<int>(size);  // counted in 32 bits by ScaLAPACK
    work_.resize(static_cast<std::size_t>(size));
    iwork_.resize(static_cast<std::size_t>(7 * n + 8 * grid_.columns() + 2 * nb + 2));
  }

  int call_pdsyevd() {
    const int one = 1;
    const int lwork = checked_cast<int>(std::ssize(work_));
    const int liwork = checked_cast<int>(std::ssize(iwork_));
    int info = 0;
    pdsyevd_("V", "L", &n_, matrix_.data(), &one, &one, descriptor_.data(), values_.data(), vectors_.data(),
             &one, &one, descriptor_.data(), work_.data(), &lwork, iwork_.data(), &liwork, &info);
    return info;
  }

  const BlacsGrid& grid_;
  int n_;
  BlockCyclic row_map_, column_map_;
  ColumnMajor matrix_, vectors_;
  VectorD values_;
  std::vector<int> descriptor_;
  std::vector<double> work_;
  std::vector<int> iwork_;
};

/// The grid's ranks solve; `pairs` (zeros before) gets this rank's part of the vectors and all values.
/// Collective: over grid_comm.
void solve_on_grid(const ConstViewD& symmetric, const parallel::Communicator& grid_comm, GridShape shape,
                   EigenPairs& pairs) {
  const BlacsGrid grid(grid_comm, shape.rows, shape.columns);
  auto problem = parallel::agree(grid_comm, [&] { return BlockCyclicEigen(symmetric, grid); });
  // Not within agree: ScaLAPACK communicates. Its verdict is agreed on afterwards.
  std::exception_ptr failure;
  try {
    problem.solve();
  } catch (const NumericalError&) {
    failure = std::current_exception();
  }
  parallel::agree_on_failure(grid_comm, failure);
  pairs.values = problem.values();
  problem.scatter_vectors_into(pairs.vectors);
}

/// ScaLAPACK reports some of its failures on the terminal only: V Λ Vᵀ must act on a vector as the matrix
/// does.
void check_decomposition(const ConstViewD& symmetric, const EigenPairs& pairs) {
  const Index n = symmetric.rows();
  const VectorD x = VectorD::LinSpaced(n, 1.0, static_cast<double>(n)).array().cos();
  const VectorD y = pairs.vectors * pairs.values.cwiseProduct(pairs.vectors.transpose() * x);
  const double error = (symmetric * x - y).norm();
  const double size = pairs.values.cwiseAbs().maxCoeff() * x.norm();
  if (!(error <= 1e-9 * size)) {
    throw NumericalError(fmt::format(
        "ScaLAPACK's eigendecomposition of a {0} × {0} matrix is wrong: its relative error is {1:.1e}", n,
        error / size));
  }
}

EigenPairs eigh_scalapack(const ConstViewD& symmetric, const parallel::Communicator& comm) {
  const Index n = symmetric.rows();
  const GridShape shape = choose_grid(comm.size(), n);
  const bool in_grid = comm.rank() < shape.size();
  const parallel::Communicator part = comm.split(in_grid ? 0 : 1, comm.rank());

  auto pairs = parallel::agree(comm, [&] { return EigenPairs{VectorD::Zero(n), MatrixD::Zero(n, n)}; });
  std::exception_ptr failure;
  if (in_grid) {
    try {
      solve_on_grid(symmetric, part, shape, pairs);
    } catch (const parallel::CommunicationError&) {
      throw;
    } catch (...) {
      failure = std::current_exception();
    }
  }
  parallel::agree_on_failure(comm, failure);
  // Every entry is non-zero on one rank at most: the sum is exact, hence the same to the bit everywhere.
  comm.sum(std::span(pairs.vectors.data(), static_cast<std::size_t>(pairs.vectors.size())));
  comm.broadcast(std::span(pairs.values.data(), static_cast<std::size_t>(n)));
  parallel::agree(comm, [&] { check_decomposition(symmetric, pairs); });
  return pairs;
}

EigenPairs eigh_on_root(MatrixD symmetric, const parallel::Communicator& comm) {
  const Index n = symmetric.rows();
  auto pairs = parallel::agree(comm, [&] {
    return comm.root() ? eigh(std::move(symmetric)) : EigenPairs{VectorD(n), MatrixD(n, n)};
  });
  comm.broadcast(std::span(pairs.values.data(), static_cast<std::size_t>(n)));
  comm.broadcast(std::span(pairs.vectors.data(), static_cast<std::size_t>(pairs.vectors.size())));
  return pairs;
}

}  // namespace

EigenPairs eigh(MatrixD symmetric, const parallel::Communicator& comm, Index scalapack_from) {
  const Index n = symmetric.rows();
  if (n == 0 || n < scalapack_from) return eigh_on_root(std::move(symmetric), comm);
  parallel::agree(comm, [&] {
    if (symmetric.cols() != n) {
      throw Error(fmt::format("internal: eigh of a [{}, {}] matrix", n, symmetric.cols()));
    }
    if (!symmetric.allFinite()) {
      throw NumericalError(
          fmt::format("eigendecomposition of a {0} × {0} matrix that holds NaN or infinity", n));
    }
  });
  return eigh_scalapack(symmetric, comm);
}

}  // namespace cinecortex::linalg
