#include "spectral_form.hpp"

#include "cinecortex/linalg/dense.hpp"
#include "cinecortex/linalg/distributed_eigen.hpp"
#include "cinecortex/linalg/product_sum.hpp"
#include "target_tiles.hpp"

namespace cinecortex::encoding {
namespace {

using linalg::gemm;

void require_finite(bool finite, const parallel::Communicator& comm) {
  parallel::agree(comm, [&] {
    if (finite) return;
    throw NumericalError(
        "ridge: the sums of squares are not finite; are there values beyond 1e150 in x or y?");
  });
}

/// A first estimate of the responses' means, the same on all ranks of the grid column: sums of squares about it
/// lose nothing, however large the mean is.
VectorD estimate_mean_y(const RidgeProblem& problem) {
  const auto& axis = problem.grid().run_axis();
  Index block = 0;
  while (problem.rows(block) == 0) ++block;
  VectorD mean = VectorD::Zero(problem.targets_local());
  parallel::agree(problem.comm(), [&] {
    if (axis.root()) mean = column_means(problem.y().read(block, problem.grid().targets_local()));
  });
  axis.broadcast(numbers(mean));
  return mean;
}

/// λ/(λ+α) ∘ ŷ, each target with its own alpha.
MatrixD shrink(const VectorD& values, MatrixD projection, const VectorD& alpha) {
  for (Index j = 0; j < values.size(); ++j) {
    projection.row(j).array() *= values[j] / (values[j] + alpha.transpose().array());
  }
  return projection;
}

template <class Scalar>
void turn_rows(Matrix<Scalar> x, const VectorD& mean, const Matrix<Scalar>& basis, View<Scalar> turned) {
  subtract_from_rows(x, mean);
  gemm(false, false, Scalar{1}, x, basis, Scalar{0}, turned);
}

}  // namespace

MatrixD gather_columns(MatrixD owned, const RidgeProblem& problem) {
  if (problem.grid().run_axis().size() == 1) return owned;
  const MatrixD transposed = owned.transpose();  // so that what ranks send lies one after the other
  const auto all = problem.grid().run_axis().gather(
      std::span<const double>(transposed.data(), static_cast<std::size_t>(transposed.size())));
  return Eigen::Map<const MatrixD>(all.data(), problem.targets_local(), owned.rows()).transpose();
}

VectorD gather_targets(const VectorD& owned, const RidgeProblem& problem) {
  const auto all = problem.grid().run_axis().gather(
      std::span<const double>(owned.data(), static_cast<std::size_t>(owned.size())));
  return Eigen::Map<const VectorD>(all.data(), problem.targets_local());
}

PrimalForm::PrimalForm(const BlockSource& x, const CentredStatistics& statistics, bool single,
                       const parallel::Communicator& comm)
    : x_(x), single_(single), columns_(statistics.columns()) {
  MatrixD gram = statistics.gram();
  require_finite(gram.allFinite(), comm);
  const auto pairs = linalg::eigh(std::move(gram), comm);
  const Index rank = numerical_rank(pairs.values, statistics.rows(), columns_);
  values_ = pairs.values.tail(rank);
  mean_x_ = statistics.mean_x();
  basis_ = pairs.vectors.rightCols(rank) * values_.cwiseSqrt().cwiseInverse().asDiagonal();
  if (single_) basis_single_ = basis_.cast<float>();
}

void PrimalForm::put_left_vectors(Index block, ViewD u) const {
  turn_rows<double>(x_.read(block), mean_x_, basis_, u);
}

void PrimalForm::put_left_vectors(Index block, ViewF u) const {
  turn_rows<float>(x_.read_single(block, {0, columns_}), mean_x_, basis_single_, u);
}

MatrixD PrimalForm::left_vectors(const std::vector<RowOfBlock>& rows) const {
  MatrixD x(std::ssize(rows), columns_), of_block, u(std::ssize(rows), rank());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (i == 0 || rows[i].block != rows[i - 1].block) of_block = x_.read(rows[i].block);
    x.row(static_cast<Index>(i)) = of_block.row(rows[i].row);
  }
  turn_rows<double>(std::move(x), mean_x_, basis_, u);
  return u;
}

MatrixD PrimalForm::weights(const RidgeProblem&, const MatrixD& projection, const VectorD& alpha) const {
  MatrixD result(basis_.rows(), projection.cols());
  for_each_tile(projection.cols(), [&](Range some) {
    const MatrixD fits = shrink(values_, projection.middleCols(some.begin, some.size()),
                                alpha.segment(some.begin, some.size()));
    gemm(false, false, 1.0, basis_, fits, 0.0, result.middleCols(some.begin, some.size()));
  });
  return result;
}

ProjectedTargets PrimalForm::project(const CentredStatistics& statistics) const {
  const Index targets = statistics.targets();
  ProjectedTargets all{MatrixD(rank(), targets), VectorD(targets), VectorD(targets)};
  for_each_tile(targets, [&](Range some) {
    gemm(true, false, 1.0, basis_, statistics.cross(some), 0.0,
         all.projection.middleCols(some.begin, some.size()));
    all.mean_y.segment(some.begin, some.size()) = statistics.mean_y(some);
    all.squares_y.segment(some.begin, some.size()) = statistics.squares_y(some);
  });
  return all;
}

DualForm::DualForm(const RidgeProblem& problem) {
  for (Index block = 0; block < problem.blocks(); ++block) {
    rows_of_block_.push_back({problem.first_row(block), problem.first_row(block + 1)});
  }
  const auto pairs = linalg::eigh(gram_of_rows(problem), problem.comm());
  const Index rank = numerical_rank(pairs.values, problem.rows(), problem.columns());
  values_ = pairs.values.tail(rank);
  vectors_ = pairs.vectors.rightCols(rank);
}

void DualForm::put_left_vectors(Index block, ViewD u) const {
  u = vectors_.middleRows(rows_of(block).begin, rows(block));
}

void DualForm::put_left_vectors(Index block, ViewF u) const {
  u = vectors_.middleRows(rows_of(block).begin, rows(block)).cast<float>();
}

MatrixD DualForm::left_vectors(const std::vector<RowOfBlock>& rows) const {
  MatrixD u(std::ssize(rows), rank());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    u.row(static_cast<Index>(i)) = vectors_.row(rows_of(rows[i].block).begin + rows[i].row);
  }
  return u;
}

MatrixD DualForm::weights(const RidgeProblem& problem, const MatrixD& projection,
                          const VectorD& alpha) const {
  const MatrixD scaled =
      values_.cwiseInverse().asDiagonal() * gather_columns(shrink(values_, projection, alpha), problem);
  MatrixD all = MatrixD::Zero(problem.columns(), problem.targets_local());
  problem.stream([&](Index block) {
    const MatrixD coefficients = linalg::product(false, false, left_vectors<double>(block), scaled);
    gemm(true, false, 1.0, problem.centred_x(block, mean_x_), coefficients, 1.0, all);
  });
  problem.grid().run_axis().sum(numbers(all));
  const Range owned = problem.owned();
  return all.middleCols(owned.begin, owned.size());
}

/// X̃X̃ᵀ [n, n]. Each rank takes a share of the columns and holds its n × p/P: n < p, so that is below p².
MatrixD DualForm::gram_of_rows(const RidgeProblem& problem) {
  const auto& comm = problem.comm();
  const Range columns = partition(problem.columns(), comm.size(), comm.rank());
  MatrixD gram = MatrixD::Zero(problem.rows(), problem.rows());
  VectorD mean = VectorD::Zero(columns.size());
  parallel::agree(comm, [&] {
    if (columns.empty()) return;
    MatrixD panel(problem.rows(), columns.size());
    for (Index block = 0; block < problem.blocks(); ++block) {
      interrupt::check();
      if (problem.rows(block) == 0) continue;
      panel.middleRows(problem.first_row(block), problem.rows(block)) = problem.x().read(block, columns);
    }
    mean = column_means(panel);
    panel.rowwise() -= mean.transpose();
    linalg::gemm_lower(false, true, 1.0, panel, panel, 0.0, gram);
  });
  linalg::sum_symmetric(gram, comm);
  const auto means = comm.gather(std::span<const double>(mean.data(), static_cast<std::size_t>(mean.size())));
  mean_x_ = VectorD::Map(means.data(), static_cast<Index>(means.size()));
  require_finite(gram.allFinite(), comm);
  return gram;
}

ProjectedTargets DualForm::project(const RidgeProblem& problem) const {
  const VectorD shift = estimate_mean_y(problem);
  const Index targets = problem.targets_local();
  VectorD sum = VectorD::Zero(targets), squares = VectorD::Zero(targets);
  MatrixD projection = MatrixD::Zero(rank(), targets);
  problem.stream([&](Index block) {
    const MatrixD y = problem.centred_y<double>(block, shift);
    gemm(true, false, 1.0, left_vectors<double>(block), y, 1.0, projection);
    sum += y.colwise().sum().transpose();
    squares += y.colwise().squaredNorm().transpose();
  });
  const auto& axis = problem.grid().run_axis();
  axis.sum(numbers(projection));
  axis.sum(numbers(sum));
  axis.sum(numbers(squares));
  const auto n = static_cast<double>(problem.rows());
  const VectorD rest = sum / n;
  projection.noalias() -= vectors_.colwise().sum().transpose() * rest.transpose();
  require_finite(projection.allFinite(), problem.comm());
  const Range owned = problem.owned();
  return {projection.middleCols(owned.begin, owned.size()), (shift + rest).segment(owned.begin, owned.size()),
          (squares - n * rest.cwiseAbs2()).cwiseMax(0.0).segment(owned.begin, owned.size())};
}

}  // namespace cinecortex::encoding
