#include "leave_one_out.hpp"

#include <algorithm>
#include <optional>
#include <span>

#include "cinecortex/linalg/dense.hpp"
#include "cinecortex/parallel/threads.hpp"
#include "leave_out.hpp"
#include "read_ahead.hpp"
#include "residual_squares.hpp"
#include "shared_terms.hpp"

namespace cinecortex::encoding {
namespace {

constexpr Index strip = targets_of_a_strip;
constexpr Index tile = targets_of_a_tile;
static_assert(tile % strip == 0);

/// Sums weighted squares over the rows of one group of blocks after the other.
template <class Scalar>
class RowPass {
 public:
  /// @param most_rows  of a group
  RowPass(const SharedTerms& shared, const VectorD& values, const MatrixD& projection, Index alphas,
          Index most_rows)
      : shared_(shared),
        projection_(projection(Eigen::all, shared.order).template cast<Scalar>()),
        factors_((values.asDiagonal() * shared.family.factors(shared.most())).template cast<Scalar>()),
        coefficients_(shared.family.coefficients(shared.most()).transpose().template cast<Scalar>()),
        alphas_(alphas),
        sums_(MatrixD::Zero(alphas, projection.cols())),
        most_rows_(most_rows),
        y_(Matrix<Scalar>::Zero(strips(projection.cols()) * most_rows, strip)),
        weights_(most_rows, alphas) {}

  /// The group's next block.
  void add(const Matrix<Scalar>& y, const MatrixD& gaps) {
    parallel::for_each_in_threads(strips(y.cols()), [&](Index s) {
      const auto targets = targets_of(s);
      for (Index i = 0; i < y.rows(); ++i) {
        Scalar* to = y_.row(s * most_rows_ + count_ + i).data();
        for (const Index target : targets) *to++ = y(i, target);
      }
    });
    weights_.middleRows(count_, y.rows()) = gaps.cwiseInverse().template cast<Scalar>();
    count_ += y.rows();
  }

  /// At the end of a group.
  /// @param u  of all its rows
  void multiply(const ConstView<Scalar>& u) {
    const Index targets = projection_.cols(), pieces = (u.rows() + piece_rows - 1) / piece_rows;
    for (Index begin = 0; begin < targets; begin += tile) {
      const Tile of = tile_of({begin, std::min(targets, begin + tile)});
      for (Index piece = 0; piece < pieces; ++piece) {
        const Range rows = partition(u.rows(), pieces, piece);
        add_rows(of, u.middleRows(rows.begin, rows.size()), rows);
      }
    }
    count_ = 0;
  }

  /// [A, t_col], targets as the source has them.
  const MatrixD& sums() const noexcept { return sums_; }

 private:
  static constexpr Index piece_rows = 512;  ///< at a time, so that their products stay in a cache
  static constexpr Index parts_of_piece = 4;
  static Index strips(Index targets) { return (targets + strip - 1) / strip; }

  std::span<const Index> targets_of(Index s) const {
    const std::span<const Index> rest = std::span(shared_.order).subspan(static_cast<std::size_t>(s * strip));
    return rest.first(std::min<std::size_t>(rest.size(), strip));
  }

  /// Some targets with their terms, and what multiplies rows of U for them.
  struct Tile {
    Range columns;
    Index width = 0;  ///< the columns, filled up to whole strips
    std::vector<RangeTerms> ranges;
    std::vector<Matrix<Scalar>> scaled;  ///< of each range [directions, terms · width]
    Matrix<Scalar> coefficients;         ///< [A, terms]
  };

  Tile tile_of(Range columns) const {
    const Index terms = shared_.terms[static_cast<std::size_t>(columns.end - 1)];
    Tile of{columns, strips(columns.size()) * strip, shared_.family.by_range(terms), {}, {}};
    of.coefficients.resize(alphas_, terms);
    Index done = 0;
    for (const auto& [directions, in_range] : of.ranges) {
      of.scaled.push_back(scale(directions, in_range, columns, of.width));
      of.coefficients.middleCols(done, std::ssize(in_range)) = coefficients_(Eigen::all, in_range);
      done += std::ssize(in_range);
    }
    return of;
  }

  /// The tile's projections in some directions times those of each of the terms' factors, side by side.
  Matrix<Scalar> scale(Range directions, const std::vector<Index>& terms, Range columns, Index width) const {
    Matrix<Scalar> result(directions.size(), std::ssize(terms) * width);
    constexpr Index some = 128;
    parallel::for_each_in_threads((result.rows() + some - 1) / some, [&](Index i) {
      for (Index j = i * some; j < std::min(result.rows(), (i + 1) * some); ++j) {
        Scalar* to = result.row(j).data();
        const auto from = projection_.row(directions.begin + j).segment(columns.begin, columns.size());
        for (const Index q : terms) {
          Eigen::Map<Matrix<Scalar>>(to, 1, columns.size()) = factors_(directions.begin + j, q) * from;
          std::fill(to + columns.size(), to + width, Scalar{0});
          to += width;
        }
      }
    });
    return result;
  }

  /// @param u  of some of the group's rows
  void add_rows(const Tile& of, const ConstView<Scalar>& u, Range rows) {
    products_.resize(rows.size(), of.coefficients.cols() * of.width);
    Index done = 0;
    for (std::size_t i = 0; i < of.ranges.size(); ++i) {
      const Range directions = of.ranges[i].directions;
      const auto& factors = of.scaled[i];
      linalg::gemm(false, false, Scalar{1}, u.middleCols(directions.begin, directions.size()), factors,
                   Scalar{0}, products_.middleCols(done, factors.cols()));
      done += factors.cols();
    }
    // Rows in parts, too: more threads than strips have work, and the order of the sums does not depend on them.
    const Index count = of.width / strip;
    std::vector<MatrixD> sums(static_cast<std::size_t>(count * parts_of_piece));
    parallel::for_each_in_threads(std::ssize(sums), [&](Index i) {
      const Index s = i % count;
      const Range some = partition(rows.size(), parts_of_piece, i / count);
      const Index first = rows.begin + some.begin;
      MatrixD& part = sums[static_cast<std::size_t>(i)];
      part = MatrixD::Zero(alphas_, strip);
      add_residual_squares(products_.middleRows(some.begin, some.size()), of.width, s * strip,
                           y_.middleRows((of.columns.begin / strip + s) * most_rows_ + first, some.size()),
                           weights_.middleRows(first, some.size()), of.coefficients, part);
    });
    for (Index i = 0; i < std::ssize(sums); ++i) {
      const MatrixD& part = sums[static_cast<std::size_t>(i)];
      for (Index v = 0; const Index target : targets_of(of.columns.begin / strip + i % count))
        sums_.col(target) += part.col(v++);
    }
  }

  const SharedTerms& shared_;
  Matrix<Scalar> projection_;    ///< [r, t_col] in the order of the terms
  Matrix<Scalar> factors_;       ///< [r, R]
  Matrix<Scalar> coefficients_;  ///< [A, R]
  Index alphas_;
  MatrixD sums_;  ///< [A, t_col]
  Index most_rows_;
  Matrix<Scalar> y_;        ///< [strips · most_rows, strip] of the group, in the order of the terms
  Matrix<Scalar> weights_;  ///< of the group, in the first rows
  Matrix<Scalar> products_;
  Index count_ = 0;  ///< rows of the group that are here
};

/// What the exact residuals of hard rows exceed the shared form's by. Rows are collected, for every time costs a pass over
/// the projections of all targets, scaled for each alpha.
class HardRows {
 public:
  HardRows(const SpectralForm& form, const MatrixD& projection, const WeightRange& weights,
           const std::vector<double>& alphas, Index rows_global)
      : form_(form), middle_(weights.middle) {
    if (weights.hard_rows == 0) return;
    exact_.emplace(form.values(), projection, alphas, rows_global);  // copies the projections
    y_.resize(std::min(hard_rows_at_once(projection.cols()), weights.hard_rows), projection.cols());
  }

  /// @param rows  the block's hard ones    @param y  the block's
  template <class Scalar>
  void add(Index block, const std::vector<Index>& rows, const Matrix<Scalar>& y) {
    for (const Index row : rows) {
      y_.row(std::ssize(rows_)) = y.row(row).template cast<double>();
      rows_.push_back({block, row});
      if (std::ssize(rows_) == y_.rows()) flush();
    }
  }

  /// Adds the sums over all of them.
  void finish(MatrixD& sums) {
    if (!rows_.empty()) flush();
    if (exact_) sums += exact_->sums();
  }

 private:
  void flush() {
    exact_->add_beyond(middle_, form_.left_vectors(rows_), y_.topRows(std::ssize(rows_)));
    rows_.clear();
  }

  const SpectralForm& form_;
  VectorD middle_;
  std::optional<LeaveOneOut> exact_;
  std::vector<RowOfBlock> rows_;  ///< that wait
  MatrixD y_;                     ///< theirs
};

std::vector<Index> hard_rows_of(const Leverages& leverages, Range rows) {
  std::vector<Index> hard;
  for (Index row = rows.begin; row < rows.end; ++row) {
    if (leverages.is_hard(row)) hard.push_back(row - rows.begin);
  }
  return hard;
}

template <class Scalar>
MatrixD sum_rows(const RidgeProblem& problem, const SpectralForm& form, const Leverages& leverages,
                 const SharedTerms& shared, const WeightRange& weights, const MatrixD& projection,
                 const VectorD& mean_y, const std::vector<double>& alphas) {
  MatrixD sums;
  parallel::agree(problem.comm(), [&] {
    const auto& groups = leverages.groups();
    RowPass<Scalar> pass(shared, form.values(), projection, static_cast<Index>(alphas.size()),
                         leverages.most_rows());
    HardRows hard_rows(form, projection, weights, alphas, problem.rows());
    ReadAhead ahead(blocks_of(groups), [&](Index block) { return problem.centred_y<Scalar>(block, mean_y); });
    Matrix<Scalar> made;
    for (std::size_t i = 0; i < groups.size(); ++i) {
      for (const Index block : groups[i].blocks) {
        const Range rows{problem.first_row(block), problem.first_row(block + 1)};
        const Matrix<Scalar> y = ahead.next();
        // Hard rows take part with the middle weight; what theirs is beyond it comes from the exact sums.
        const auto hard = hard_rows_of(leverages, rows);
        MatrixD gaps = leverages.gaps().middleRows(rows.begin, rows.size());
        for (const Index row : hard) gaps.row(row) = weights.middle.cwiseSqrt().cwiseInverse().transpose();
        pass.add(y, gaps);
        hard_rows.add(block, hard, y);
      }
      pass.multiply(leverages.left_vectors(i, made));
    }
    sums = pass.sums();
    hard_rows.finish(sums);
  });
  return sums;
}

/// Mean over the targets of all ranks.
double mean_products(const SharedTerms& shared, const RidgeProblem& problem) {
  double all = 0;
  for (const Index terms : shared.terms) all += shared.family.products(terms);
  const auto& comm = problem.comm();
  const auto targets = comm.sum(static_cast<std::int64_t>(shared.terms.size()));
  return comm.sum(all) / static_cast<double>(std::max<std::int64_t>(targets, 1));
}

}  // namespace

LeaveOneOutCurve leave_one_out(const RidgeProblem& problem, const SpectralForm& form,
                               const Leverages& leverages, const ProjectedTargets& targets,
                               const std::vector<double>& alphas) {
  constexpr double tolerance = 1e-6;
  const MatrixD projection = gather_columns(targets.projection, problem);
  const VectorD mean_y = gather_targets(targets.mean_y, problem);
  const VectorD squares_y = gather_targets(targets.squares_y, problem);
  const WeightRange weights = weight_range(leverages);
  const SharedTerms shared = choose_terms(problem, form, projection, squares_y, alphas, weights, tolerance);
  const bool single = form.single_precision() && problem.y().single_precision();
  const auto sum = single ? sum_rows<float> : sum_rows<double>;
  MatrixD sums = sum(problem, form, leverages, shared, weights, projection, mean_y, alphas);
  problem.grid().run_axis().sum(numbers(sums));
  sums += shared.correction;

  const Range owned = problem.owned();
  LeaveOneOutCurve curve;
  curve.mse = sums.middleCols(owned.begin, owned.size()) / static_cast<double>(problem.rows());
  curve.bound = problem.comm().max(shared.bound);
  curve.products = mean_products(shared, problem);
  curve.exact_rows = weights.hard_rows;
  return curve;
}

}  // namespace cinecortex::encoding
