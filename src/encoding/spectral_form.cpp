#include "spectral_form.hpp"

#include "cinecortex/linalg/dense.hpp"
#include "cinecortex/linalg/distributed_eigen.hpp"

namespace cinecortex::encoding {
namespace {

/// A first estimate of the responses' means, the same on all ranks of the grid column: sums of squares about
/// it lose nothing, however large the mean is.
VectorD estimate_mean_y(const RidgeProblem& problem, Index block) {
  const auto& axis = problem.grid().run_axis();
  VectorD mean = VectorD::Zero(problem.targets_local());
  parallel::agree(problem.comm(), [&] {
    if (axis.root()) mean = column_means(problem.y().read(block, problem.grid().targets_local()));
  });
  axis.broadcast(numbers(mean));
  return mean;
}

VectorD estimate_mean_x(const RidgeProblem& problem, Index block) {
  VectorD mean = VectorD::Zero(problem.columns());
  parallel::agree(problem.comm(), [&] {
    if (problem.comm().root()) mean = column_means(problem.x().read(block));
  });
  problem.comm().broadcast(numbers(mean));
  return mean;
}

Index first_block_with_rows(const RidgeProblem& problem) {
  Index block = 0;
  while (problem.rows(block) == 0) ++block;
  return block;
}

void require_finite(const MatrixD& statistics, const RidgeProblem& problem) {
  parallel::agree(problem.comm(), [&] {
    if (statistics.allFinite()) return;
    throw NumericalError(
        "ridge: the sums of squares are not finite; are there values beyond 1e150 in x or y?");
  });
}

/// Sums of y about a shift, over this rank's blocks first and over the run axis then.
struct ResponseSums {
  explicit ResponseSums(Index targets) : sum(VectorD::Zero(targets)), squares(VectorD::Zero(targets)) {}
  void add(const MatrixD& shifted) {
    sum += shifted.colwise().sum().transpose();
    squares += shifted.colwise().squaredNorm().transpose();
  }
  void reduce(const RidgeProblem& problem) {
    problem.grid().run_axis().sum(numbers(sum));
    problem.grid().run_axis().sum(numbers(squares));
  }
  VectorD sum, squares;
};

class PrimalForm final : public SpectralForm {
 public:
  explicit PrimalForm(const RidgeProblem& problem) : problem_(problem) {
    const Index p = problem.columns();
    MatrixD gram = MatrixD::Zero(p, p);
    MatrixD cross = MatrixD::Zero(p, problem.targets_local());
    accumulate(gram, cross);
    const auto pairs = linalg::eigh(gram, problem.comm());
    const Index rank = numerical_rank(pairs.values, problem.rows(), p);
    values_ = pairs.values.tail(rank);
    basis_ = pairs.vectors.rightCols(rank) * values_.cwiseSqrt().cwiseInverse().asDiagonal();
    projection_ = MatrixD::Zero(rank, problem.targets_local());
    linalg::gemm(true, false, 1.0, basis_, cross, 0.0, projection_);
  }

  std::string name() const override { return "primal"; }

  MatrixD left_vectors(Index block) const override {
    MatrixD vectors = MatrixD::Zero(problem_.rows(block), rank());
    linalg::gemm(false, false, 1.0, problem_.centred_x(block, mean_x_), basis_, 0.0, vectors);
    return vectors;
  }

  MatrixD weights(const MatrixD& shrunk) const override {
    const Range owned = problem_.owned();
    MatrixD result = MatrixD::Zero(problem_.columns(), owned.size());
    linalg::gemm(false, false, 1.0, basis_, shrunk.middleCols(owned.begin, owned.size()), 0.0, result);
    return result;
  }

 private:
  /// Centred X̃ᵀX̃ and X̃ᵀỸ, the means, and ‖ỹ‖².
  void accumulate(MatrixD& gram, MatrixD& cross) {
    const Index first = first_block_with_rows(problem_);
    const VectorD shift_x = estimate_mean_x(problem_, first);
    const VectorD shift_y = estimate_mean_y(problem_, first);
    VectorD sum_x = VectorD::Zero(problem_.columns());
    ResponseSums sums_y(problem_.targets_local());
    problem_.stream([&](Index block) {
      const MatrixD x = problem_.centred_x(block, shift_x);
      const MatrixD y = problem_.centred_y(block, shift_y);
      const Range share = problem_.share_of_rows({0, x.rows()});
      linalg::add_gram(x.middleRows(share.begin, share.size()), gram);
      linalg::gemm(true, false, 1.0, x, y, 1.0, cross);
      sum_x += x.colwise().sum().transpose();
      sums_y.add(y);
    });
    problem_.comm().sum(numbers(gram));
    problem_.grid().run_axis().sum(numbers(cross));
    problem_.grid().run_axis().sum(numbers(sum_x));
    sums_y.reduce(problem_);
    linalg::mirror_upper(gram);

    const auto n = static_cast<double>(problem_.rows());
    const VectorD rest_x = sum_x / n;  // what the shift left of the mean
    const VectorD rest_y = sums_y.sum / n;
    gram.noalias() -= n * rest_x * rest_x.transpose();
    cross.noalias() -= n * rest_x * rest_y.transpose();
    mean_x_ = shift_x + rest_x;
    mean_y_ = shift_y + rest_y;
    squares_y_ = (sums_y.squares - n * rest_y.cwiseAbs2()).cwiseMax(0.0);
    require_finite(gram, problem_);
    require_finite(cross, problem_);
  }

  const RidgeProblem& problem_;
  MatrixD basis_;  ///< V Λ^-½ [p, r]
};

class DualForm final : public SpectralForm {
 public:
  explicit DualForm(const RidgeProblem& problem) : problem_(problem) {
    const auto pairs = linalg::eigh(gram_of_rows(), problem.comm());
    const Index rank = numerical_rank(pairs.values, problem.rows(), problem.columns());
    values_ = pairs.values.tail(rank);
    vectors_ = pairs.vectors.rightCols(rank);
    project();
  }

  std::string name() const override { return "dual"; }

  MatrixD left_vectors(Index block) const override {
    return vectors_.middleRows(problem_.first_row(block), problem_.rows(block));
  }

  MatrixD weights(const MatrixD& shrunk) const override {
    const MatrixD scaled = values_.cwiseInverse().asDiagonal() * shrunk;
    MatrixD all = MatrixD::Zero(problem_.columns(), problem_.targets_local());
    problem_.stream([&](Index block) {
      MatrixD coefficients = MatrixD::Zero(problem_.rows(block), problem_.targets_local());
      linalg::gemm(false, false, 1.0, left_vectors(block), scaled, 0.0, coefficients);
      linalg::gemm(true, false, 1.0, problem_.centred_x(block, mean_x_), coefficients, 1.0, all);
    });
    problem_.grid().run_axis().sum(numbers(all));
    const Range owned = problem_.owned();
    return all.middleCols(owned.begin, owned.size());
  }

 private:
  /// X̃X̃ᵀ [n, n]. Each rank takes a share of the columns and holds its n × p/P: n < p, so that is below p².
  MatrixD gram_of_rows() {
    const auto& comm = problem_.comm();
    const Range columns = partition(problem_.columns(), comm.size(), comm.rank());
    MatrixD gram = MatrixD::Zero(problem_.rows(), problem_.rows());
    VectorD mean = VectorD::Zero(columns.size());
    parallel::agree(comm, [&] {
      if (columns.empty()) return;
      MatrixD panel(problem_.rows(), columns.size());
      for (Index block = 0; block < problem_.blocks(); ++block) {
        interrupt::check();
        if (problem_.rows(block) == 0) continue;
        panel.middleRows(problem_.first_row(block), problem_.rows(block)) = problem_.x().read(block, columns);
      }
      mean = column_means(panel);
      panel.rowwise() -= mean.transpose();
      linalg::gemm(false, true, 1.0, panel, panel, 0.0, gram);
    });
    comm.sum(numbers(gram));
    const auto means =
        comm.gather(std::span<const double>(mean.data(), static_cast<std::size_t>(mean.size())));
    mean_x_ = VectorD::Map(means.data(), static_cast<Index>(means.size()));
    require_finite(gram, problem_);
    return gram;
  }

  void project() {
    const VectorD shift = estimate_mean_y(problem_, first_block_with_rows(problem_));
    ResponseSums sums(problem_.targets_local());
    projection_ = MatrixD::Zero(rank(), problem_.targets_local());
    problem_.stream([&](Index block) {
      const MatrixD y = problem_.centred_y(block, shift);
      linalg::gemm(true, false, 1.0, left_vectors(block), y, 1.0, projection_);
      sums.add(y);
    });
    problem_.grid().run_axis().sum(numbers(projection_));
    sums.reduce(problem_);
    const auto n = static_cast<double>(problem_.rows());
    const VectorD rest = sums.sum / n;
    projection_.noalias() -= vectors_.colwise().sum().transpose() * rest.transpose();
    mean_y_ = shift + rest;
    squares_y_ = (sums.squares - n * rest.cwiseAbs2()).cwiseMax(0.0);
    require_finite(projection_, problem_);
  }

  const RidgeProblem& problem_;
  MatrixD vectors_;  ///< U [n, r]
};

}  // namespace

std::unique_ptr<SpectralForm> decompose(const RidgeProblem& problem) {
  if (problem.columns() <= problem.rows()) return std::make_unique<PrimalForm>(problem);
  return std::make_unique<DualForm>(problem);
}

}  // namespace cinecortex::encoding
