#include "k_fold.hpp"

#include <fmt/format.h>

#include "cinecortex/linalg/dense.hpp"
#include "cinecortex/linalg/distributed_eigen.hpp"

namespace cinecortex::encoding {
namespace {

/// Sums over the rows of one fold, about the means of all rows.
struct FoldStatistics {
  Index rows = 0;
  MatrixD gram, cross;  ///< [r, r], [r, t_col]
  VectorD sum_z, sum_y;
};

/// The fold's rows in the design's axes, Z = U Λ^½.
MatrixD fold_rows(const SpectralForm& form, Index block, Range rows) {
  return form.left_vectors(block).middleRows(rows.begin, rows.size()) *
         form.values().cwiseSqrt().asDiagonal();
}

MatrixD fold_responses(const RidgeProblem& problem, const SpectralForm& form, Index block, Range rows) {
  return problem.centred_y(block, form.mean_y()).middleRows(rows.begin, rows.size());
}

FoldStatistics sum_fold(const RidgeProblem& problem, const SpectralForm& form, const Fold& fold) {
  const Index rank = form.rank();
  const Index targets = problem.targets_local();
  FoldStatistics s{.gram = MatrixD::Zero(rank, rank),
                   .cross = MatrixD::Zero(rank, targets),
                   .sum_z = VectorD::Zero(rank),
                   .sum_y = VectorD::Zero(targets)};
  problem.stream([&](Index block) {
    const Range rows = fold[static_cast<std::size_t>(block)];
    if (rows.empty()) return;
    const MatrixD z = fold_rows(form, block, rows);
    const MatrixD y = fold_responses(problem, form, block, rows);
    const Range share = problem.share_of_rows({0, z.rows()});
    linalg::add_gram(z.middleRows(share.begin, share.size()), s.gram);
    linalg::gemm(true, false, 1.0, z, y, 1.0, s.cross);
    s.sum_z += z.colwise().sum().transpose();
    s.sum_y += y.colwise().sum().transpose();
  });
  problem.comm().sum(numbers(s.gram));
  linalg::mirror_upper(s.gram);
  const auto& axis = problem.grid().run_axis();
  axis.sum(numbers(s.cross));
  axis.sum(numbers(s.sum_z));
  axis.sum(numbers(s.sum_y));
  for (const Range rows : fold) s.rows += rows.size();
  return s;
}

/// The path of ridge fits on the rows outside one fold.
struct TrainedPath {
  VectorD values;   ///< [q]
  MatrixD vectors;  ///< [r, q]
  MatrixD cross;    ///< vectorsᵀ Z̃ᵀỸ [q, t_col]
  VectorD mean_z, mean_y;
};

TrainedPath train_without(const FoldStatistics& fold, const RidgeProblem& problem, const SpectralForm& form) {
  const Index train_rows = problem.rows() - fold.rows;
  const auto n = static_cast<double>(train_rows);
  TrainedPath path;
  path.mean_z = -fold.sum_z / n;  // over all rows Z and ỹ sum to zero
  path.mean_y = -fold.sum_y / n;
  MatrixD gram = -fold.gram;
  gram.diagonal() += form.values();
  gram.noalias() -= n * path.mean_z * path.mean_z.transpose();
  MatrixD cross = form.values().cwiseSqrt().asDiagonal() * form.projection();
  cross -= fold.cross;
  cross.noalias() -= n * path.mean_z * path.mean_y.transpose();

  const auto pairs = linalg::eigh(gram, problem.comm());
  const Index rank = numerical_rank(pairs.values, train_rows, std::max(problem.columns(), problem.rows()));
  path.values = pairs.values.tail(rank);
  path.vectors = pairs.vectors.rightCols(rank);
  path.cross = MatrixD::Zero(rank, cross.cols());
  linalg::gemm(true, false, 1.0, path.vectors, cross, 0.0, path.cross);
  return path;
}

/// Sums over the fold's rows of squared errors for every alpha, and about the fold's own mean in the last
/// row.
MatrixD held_out_squares(const TrainedPath& path, const VectorD& fold_mean_y, const Fold& fold,
                         const RidgeProblem& problem, const SpectralForm& form,
                         const std::vector<double>& alphas) {
  const auto count = static_cast<Index>(alphas.size());
  MatrixD squares = MatrixD::Zero(count + 1, problem.targets_local());
  problem.stream([&](Index block) {
    const Range rows = fold[static_cast<std::size_t>(block)];
    if (rows.empty()) return;
    MatrixD z = fold_rows(form, block, rows);
    z.rowwise() -= path.mean_z.transpose();
    MatrixD turned = MatrixD::Zero(z.rows(), path.values.size());
    linalg::gemm(false, false, 1.0, z, path.vectors, 0.0, turned);
    const MatrixD y = fold_responses(problem, form, block, rows);
    for (Index a = 0; a < count; ++a) {
      MatrixD error = y.rowwise() - path.mean_y.transpose();
      const MatrixD weights =
          (path.values.array() + alphas[static_cast<std::size_t>(a)]).inverse().matrix().asDiagonal() *
          path.cross;
      linalg::gemm(false, false, -1.0, turned, weights, 1.0, error);
      squares.row(a) += error.colwise().squaredNorm();
    }
    squares.row(count) += (y.rowwise() - fold_mean_y.transpose()).colwise().squaredNorm();
  });
  problem.grid().run_axis().sum(numbers(squares));
  return squares;
}

double r2(double error, double variation) {
  if (variation > 0) return 1.0 - error / variation;
  return error > 0 ? 0.0 : 1.0;
}

}  // namespace

std::vector<Fold> contiguous_folds(const RidgeProblem& problem, Index count) {
  std::vector<Index> blocks;
  for (Index block = 0; block < problem.blocks(); ++block) {
    if (problem.rows(block) > 0) blocks.push_back(block);
  }
  const bool by_rows = blocks.size() == 1;
  const Index items = by_rows ? problem.rows() / 2 : static_cast<Index>(blocks.size());
  if (items < count) {
    throw InputError(
        by_rows ? fmt::format("kfold:{}: {} rows are too few for two in every fold", count, problem.rows())
                : fmt::format("kfold:{}: there are only {} runs to make folds of", count, items));
  }
  std::vector<Fold> folds;
  for (Index f = 0; f < count; ++f) {
    Fold fold(static_cast<std::size_t>(problem.blocks()));
    if (by_rows) {
      fold[static_cast<std::size_t>(blocks[0])] = partition(problem.rows(), count, f);
    } else {
      const Range whole = partition(items, count, f);
      for (Index i = whole.begin; i < whole.end; ++i) {
        const Index block = blocks[static_cast<std::size_t>(i)];
        fold[static_cast<std::size_t>(block)] = {0, problem.rows(block)};
      }
    }
    folds.push_back(std::move(fold));
  }
  return folds;
}

MatrixD k_fold_r2(const RidgeProblem& problem, const SpectralForm& form, const std::vector<double>& alphas,
                  const std::vector<Fold>& folds) {
  const auto count = static_cast<Index>(alphas.size());
  MatrixD mean = MatrixD::Zero(count, problem.targets_local());
  for (const Fold& fold : folds) {
    const auto statistics = sum_fold(problem, form, fold);
    const auto path = train_without(statistics, problem, form);
    const VectorD fold_mean_y = statistics.sum_y / static_cast<double>(statistics.rows);
    const MatrixD squares = held_out_squares(path, fold_mean_y, fold, problem, form, alphas);
    for (Index a = 0; a < count; ++a) {
      for (Index v = 0; v < mean.cols(); ++v) mean(a, v) += r2(squares(a, v), squares(count, v));
    }
  }
  return mean / static_cast<double>(folds.size());
}

}  // namespace cinecortex::encoding
