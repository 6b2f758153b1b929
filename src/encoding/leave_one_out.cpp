#include "leave_one_out.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "alpha_family.hpp"
#include "cinecortex/linalg/dense.hpp"
#include "cinecortex/parallel/threads.hpp"
#include "leave_out.hpp"
#include "stream_ahead.hpp"

#if defined(__x86_64__) && defined(__GNUC__)
// One copy for each generation of processors; the loader picks.
#define CINECORTEX_ANY_PROCESSOR __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define CINECORTEX_ANY_PROCESSOR
#endif

namespace cinecortex::encoding {
namespace {

constexpr Index strip = 32;  ///< targets that are summed side by side, in registers

/// What one strip of targets adds: residual e_a = y - Σ_r coefficient(a, r) p_r, times the row's weight, squared.
template <class Scalar>
struct StripWork {
  const Scalar* terms;  ///< [rows, .] p_r of a strip at r · term_step
  Index terms_row, term_step;
  const Scalar* y;  ///< [rows, .]
  Index y_row;
  const Scalar* weights;       ///< [rows, A] 1/(1 - h)
  const Scalar* coefficients;  ///< [A, R]
  Index rows, alphas, count;
  Scalar* scratch;  ///< [A, strip]
  double* sums;     ///< [A, strip]
};

template <class Scalar>
__attribute__((always_inline)) inline void add_strip(const StripWork<Scalar>& work) {
  constexpr Index flush_every = 32;  // rows that are summed in Scalar before they go to float64
  std::fill(work.scratch, work.scratch + work.alphas * strip, Scalar{0});
  for (Index i = 0; i < work.rows; ++i) {
    const Scalar* y = work.y + i * work.y_row;
    const Scalar* terms = work.terms + i * work.terms_row;
    for (Index a = 0; a < work.alphas; ++a) {
      const Scalar* coefficients = work.coefficients + a * work.count;
      const Scalar weight = work.weights[i * work.alphas + a];
      Scalar residual[strip];
      for (Index v = 0; v < strip; ++v) residual[v] = y[v];
      for (Index r = 0; r < work.count; ++r) {
        const Scalar coefficient = coefficients[r];
        const Scalar* term = terms + r * work.term_step;
        for (Index v = 0; v < strip; ++v) residual[v] -= coefficient * term[v];
      }
      Scalar* sum = work.scratch + a * strip;
      for (Index v = 0; v < strip; ++v) {
        const Scalar left_out = residual[v] * weight;
        sum[v] += left_out * left_out;
      }
    }
    if (i % flush_every == flush_every - 1 || i + 1 == work.rows) {
      for (Index j = 0; j < work.alphas * strip; ++j) {
        work.sums[j] += static_cast<double>(work.scratch[j]);
        work.scratch[j] = 0;
      }
    }
  }
}

CINECORTEX_ANY_PROCESSOR void add_squares(const StripWork<float>& work) {
  add_strip(work);
}
CINECORTEX_ANY_PROCESSOR void add_squares(const StripWork<double>& work) {
  add_strip(work);
}

/// U² as numbers for sums in float64.
template <class Scalar>
MatrixD squares_of(const Matrix<Scalar>& u) {
  return u.template cast<double>().cwiseAbs2();
}

/// 1 - h for the rows of one block: what no alpha reaches, and what shrinking leaves.
MatrixD gaps_of(const MatrixD& squared, const VectorD& values, const std::vector<double>& alphas,
                Index rows_global) {
  const auto count = static_cast<Index>(alphas.size());
  MatrixD shapes(squared.cols(), count);
  VectorD factors(count);
  for (Index a = 0; a < count; ++a) {
    const Shrinkage shrinkage(values, alphas[static_cast<std::size_t>(a)]);
    if (values.size() > 0) shapes.col(a) = shrinkage.shape;
    factors[a] = shrinkage.factor;
  }
  MatrixD gaps = MatrixD::Zero(squared.rows(), count);
  linalg::gemm(false, false, 1.0, squared, shapes, 0.0, gaps);
  gaps = gaps * factors.asDiagonal();
  const VectorD rest =
      (1.0 - 1.0 / static_cast<double>(rows_global) - squared.rowwise().sum().array()).matrix();
  gaps.colwise() += rest;
  return gaps;
}

/// How alphas share terms for one grid column's targets, and how far the shared form can be off.
struct SharedTerms {
  MatrixD factors;       ///< [r, R]: p_r = U (factors_r ∘ ŷ)
  MatrixD coefficients;  ///< [A, R]
  MatrixD correction;    ///< [A, t_col] to add to the sums: the part of the error that is known
  double bound = 0;      ///< largest relative error left, over alphas and targets
};

/// The squares' weights 1/(1-h)² over all rows that are not hard, middle ± spread: [A] each.
struct WeightRange {
  VectorD middle, spread;
  Index hard_rows = 0;
};

WeightRange weight_range(const Leverages& leverages) {
  const MatrixD& gaps = leverages.gaps();
  VectorD least = VectorD::Constant(gaps.cols(), std::numeric_limits<double>::infinity());
  VectorD largest = VectorD::Zero(gaps.cols());
  WeightRange range;
  for (Index row = 0; row < gaps.rows(); ++row) {
    if (leverages.is_hard(row)) {
      ++range.hard_rows;
      continue;
    }
    const VectorD weights = gaps.row(row).cwiseAbs2().cwiseInverse().transpose();
    least = least.cwiseMin(weights);
    largest = largest.cwiseMax(weights);
  }
  const bool any = range.hard_rows < gaps.rows();
  range.middle = any ? VectorD(0.5 * (least + largest)) : VectorD::Ones(gaps.cols());
  range.spread = any ? VectorD(0.5 * (largest - least)) : VectorD::Zero(gaps.cols());
  return range;
}

/// Chooses the number of terms: as few as certify `tolerance`.
class TermChooser {
 public:
  TermChooser(const SpectralForm& form, const MatrixD& projection, const VectorD& squares_y,
              const std::vector<double>& alphas, const WeightRange& weights)
      : values_(form.values()),
        weights_(weights),
        squared_(projection.cwiseAbs2()),
        family_(values_, alphas, values_.cwiseProduct(squared_.rowwise().sum().cwiseSqrt()),
                VectorD::Ones(static_cast<Index>(alphas.size()))) {
    const auto count = static_cast<Index>(alphas.size());
    unexplained_ = MatrixD(values_.size(), count);  // 1 - λ/(λ+α)
    for (Index a = 0; a < count; ++a) {
      const double alpha = alphas[static_cast<std::size_t>(a)];
      unexplained_.col(a) = alpha / (values_.array() + alpha);
    }
    const VectorD out_of_reach = (squares_y - squared_.colwise().sum().transpose()).cwiseMax(0.0);
    residual_squares_ = products(unexplained_.cwiseAbs2());
    residual_squares_.rowwise() += out_of_reach.transpose();
  }

  SharedTerms choose(double tolerance) const {
    for (Index terms = std::min<Index>(3, family_.most_terms());; ++terms) {
      SharedTerms shared = with(terms);
      if (shared.bound <= tolerance || terms == family_.most_terms()) return shared;
    }
  }

 private:
  MatrixD products(const MatrixD& of_values) const {
    MatrixD result = MatrixD::Zero(of_values.cols(), squared_.cols());
    linalg::gemm(true, false, 1.0, of_values, squared_, 0.0, result);
    return result;
  }

  SharedTerms with(Index terms) const {
    const MatrixD rest = values_.asDiagonal() * family_.rest(terms);  // what the shared fit lacks
    const MatrixD wrong = products(rest.cwiseAbs2());                 // ‖Δe‖² [A, t]
    const MatrixD along = products(rest.cwiseProduct(unexplained_));  // e·Δe
    SharedTerms shared{values_.asDiagonal() * family_.factors(terms), family_.coefficients(terms).transpose(),
                       MatrixD(wrong.rows(), wrong.cols()), 0};
    for (Index a = 0; a < wrong.rows(); ++a) {
      for (Index v = 0; v < wrong.cols(); ++v) {
        // With the middle weight for every row the error would be just this; what is left is its spread.
        shared.correction(a, v) = -weights_.middle[a] * (2 * along(a, v) + wrong(a, v));
        const double exact = residual_squares_(a, v);  // at most, since no weight is below 1
        const double off =
            weights_.spread[a] * (2 * std::sqrt(residual_squares_(a, v) * wrong(a, v)) + wrong(a, v));
        if (off > 0) shared.bound = std::max(shared.bound, exact > 0 ? off / exact : 1.0);
      }
    }
    return shared;
  }

  const VectorD& values_;
  const WeightRange& weights_;
  MatrixD squared_;  ///< ŷ² [r, t]
  AlphaFamily family_;
  MatrixD unexplained_;       ///< [r, A]
  MatrixD residual_squares_;  ///< ‖e‖² [A, t]
};

/// Rows that wait to be multiplied together: one run's rows are too few to fill the processor.
template <class Scalar>
class RowPass {
 public:
  RowPass(const SharedTerms& shared, const MatrixD& projection, Index alphas)
      : shared_(shared),
        projection_(projection),
        coefficients_(shared.coefficients.template cast<Scalar>()),
        alphas_(alphas),
        sums_(MatrixD::Zero(alphas, projection.cols())) {}

  void add(const Matrix<Scalar>& u, const Matrix<Scalar>& y, const MatrixD& gaps) {
    if (count_ + u.rows() > u_.rows()) {
      u_.conservativeResize(count_ + u.rows(), u.cols());
      y_.conservativeResize(count_ + u.rows(), y.cols());
      weights_.conservativeResize(count_ + u.rows(), alphas_);
    }
    u_.middleRows(count_, u.rows()) = u;
    y_.middleRows(count_, u.rows()) = y;
    weights_.middleRows(count_, u.rows()) = gaps.cwiseInverse().template cast<Scalar>();
    count_ += u.rows();
    if (count_ >= enough_rows) flush();
  }

  MatrixD& finish() {
    flush();
    return sums_;
  }

 private:
  static constexpr Index enough_rows = 1536;
  static constexpr Index tile = 4 * strip;

  void flush() {
    if (count_ == 0) return;
    const Index targets = projection_.cols();
    for (Index begin = 0; begin < targets; begin += tile) {
      add_tile({begin, std::min(targets, begin + tile)});
    }
    count_ = 0;
  }

  void add_tile(Range columns) {
    const Index terms = coefficients_.cols(), rank = projection_.rows();
    const Index width = (columns.size() + strip - 1) / strip * strip;
    Matrix<Scalar> scaled = Matrix<Scalar>::Zero(rank, terms * width);
    for (Index r = 0; r < terms; ++r) {
      scaled.middleCols(r * width, columns.size()) =
          (shared_.factors.col(r).asDiagonal() * projection_.middleCols(columns.begin, columns.size()))
              .template cast<Scalar>();
    }
    products_.resize(count_, terms * width);
    linalg::gemm(false, false, Scalar{1}, u_.topRows(count_), scaled, Scalar{0}, products_);
    tile_y_.setZero(count_, width);
    tile_y_.leftCols(columns.size()) = y_.block(0, columns.begin, count_, columns.size());
    parallel::for_each_in_threads(width / strip, [&](Index s) {
      std::vector<Scalar> scratch(static_cast<std::size_t>(alphas_ * strip));
      MatrixD sums = MatrixD::Zero(alphas_, strip);
      add_squares(StripWork<Scalar>{.terms = products_.data() + s * strip,
                                    .terms_row = products_.cols(),
                                    .term_step = width,
                                    .y = tile_y_.data() + s * strip,
                                    .y_row = width,
                                    .weights = weights_.data(),
                                    .coefficients = coefficients_.data(),
                                    .rows = count_,
                                    .alphas = alphas_,
                                    .count = terms,
                                    .scratch = scratch.data(),
                                    .sums = sums.data()});
      const Index used = std::min(strip, columns.size() - s * strip);
      sums_.middleCols(columns.begin + s * strip, used) += sums.leftCols(used);
    });
  }

  const SharedTerms& shared_;
  const MatrixD& projection_;
  Matrix<Scalar> coefficients_;  ///< [A, R]
  Index alphas_;
  MatrixD sums_;  ///< [A, t_col]
  Matrix<Scalar> u_, y_, weights_, products_, tile_y_;
  Index count_ = 0;
};

template <class Scalar>
Matrix<Scalar> centred_responses(const RidgeProblem& problem, Index block, const VectorD& mean) {
  const Range targets = problem.grid().targets_local();
  Matrix<Scalar> y;
  if constexpr (std::is_same_v<Scalar, float>) {
    y = problem.y().read_single(block, targets);
  } else {
    y = problem.y().read(block, targets);
  }
  subtract_from_rows(y, mean);
  return y;
}

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
  RowPass<Scalar> pass(shared, projection, static_cast<Index>(alphas.size()));
  std::optional<LeaveOneOut> exact;  // a copy of the projection, so only where it is needed
  if (weights.hard_rows > 0) exact.emplace(form.values(), projection, alphas, problem.rows());
  stream_ahead(
      problem, [&](Index block) { return centred_responses<Scalar>(problem, block, mean_y); },
      [&](Index block, const Matrix<Scalar>& y) {
        const Range rows{problem.first_row(block), problem.first_row(block + 1)};
        const auto hard = hard_rows_of(leverages, rows);
        Matrix<Scalar> u;
        if constexpr (std::is_same_v<Scalar, float>) {
          u = leverages.left_vectors_single(block);
        } else {
          u = leverages.left_vectors(block);
        }
        // Hard rows take part with the middle weight; what theirs is beyond it comes from the exact sums.
        MatrixD gaps = leverages.gaps().middleRows(rows.begin, rows.size());
        for (const Index row : hard) gaps.row(row) = weights.middle.cwiseSqrt().cwiseInverse().transpose();
        pass.add(u, y, gaps);
        if (hard.empty()) return;
        exact->add_beyond(weights.middle, leverages.left_vectors(block)(hard, Eigen::all),
                          y(hard, Eigen::all).template cast<double>());
      });
  MatrixD sums;
  parallel::agree(problem.comm(), [&] {
    sums = pass.finish();
    if (exact) sums += exact->sums();
  });
  return sums;
}

}  // namespace

Leverages::Leverages(const RidgeProblem& problem, const SpectralForm& form, const std::vector<double>& alphas,
                     Index cache_bytes)
    : form_(form),
      gaps_(MatrixD::Zero(problem.rows(), static_cast<Index>(alphas.size()))),
      kept_single_(static_cast<std::size_t>(problem.blocks())),
      kept_double_(static_cast<std::size_t>(problem.blocks())) {
  const bool single = form.single_precision();
  // Ranks of a grid row have the same blocks: each takes a part of them here.
  const Index part = problem.grid().target_part(), parts = problem.grid().target_parts();
  Index turn = 0, kept_bytes = 0;
  problem.stream([&](Index block) {
    if (turn++ % parts != part) return;
    const Index bytes = problem.rows(block) * form.rank() * (single ? 4 : 8);
    const bool keep = parts == 1 && kept_bytes + bytes <= cache_bytes;
    auto to = gaps_.middleRows(problem.first_row(block), problem.rows(block));
    if (single) {
      MatrixF u = form.left_vectors_single(block);
      to = gaps_of(squares_of(u), form.values(), alphas, problem.rows());
      if (keep) kept_single_[static_cast<std::size_t>(block)] = std::move(u);
    } else {
      MatrixD u = form.left_vectors(block);
      to = gaps_of(squares_of(u), form.values(), alphas, problem.rows());
      if (keep && form.name() == "primal") kept_double_[static_cast<std::size_t>(block)] = std::move(u);
    }
    if (keep) kept_bytes += bytes;
  });
  problem.comm().sum(numbers(gaps_));
  hard_ = hard_threshold();
}

double Leverages::hard_threshold() const {
  constexpr double always = 0.05;  // 1 - h
  std::vector<double> least;
  for (Index row = 0; row < gaps_.rows(); ++row) {
    if (const double gap = gaps_.row(row).minCoeff(); gap >= always) least.push_back(gap);
  }
  if (least.size() < 100) return always;
  std::sort(least.begin(), least.end());
  const auto spread = [&](double gap) { return 1.0 / (gap * gap) - 1.0 / (least.back() * least.back()); };
  const double hundredth = least[least.size() / 100];
  return spread(hundredth) < spread(least.front()) / 3 ? hundredth : always;
}

MatrixF Leverages::left_vectors_single(Index block) const {
  const MatrixF& kept = kept_single_[static_cast<std::size_t>(block)];
  return kept.size() > 0 ? kept : form_.left_vectors_single(block);
}

MatrixD Leverages::left_vectors(Index block) const {
  const MatrixD& kept = kept_double_[static_cast<std::size_t>(block)];
  return kept.size() > 0 ? kept : form_.left_vectors(block);
}

LeaveOneOutCurve leave_one_out(const RidgeProblem& problem, const SpectralForm& form,
                               const Leverages& leverages, const ProjectedTargets& targets,
                               const std::vector<double>& alphas) {
  constexpr double tolerance = 1e-6;
  const MatrixD projection = gather_columns(targets.projection, problem);
  const VectorD mean_y = gather_targets(targets.mean_y, problem);
  const VectorD squares_y = gather_targets(targets.squares_y, problem);
  const WeightRange weights = weight_range(leverages);
  const SharedTerms shared = parallel::agree(problem.comm(), [&] {
    return TermChooser(form, projection, squares_y, alphas, weights).choose(tolerance);
  });
  const bool single = form.single_precision() && problem.y().single_precision();
  const auto sum = single ? sum_rows<float> : sum_rows<double>;
  MatrixD sums = sum(problem, form, leverages, shared, weights, projection, mean_y, alphas);
  problem.grid().run_axis().sum(numbers(sums));
  sums += shared.correction;

  const Range owned = problem.owned();
  LeaveOneOutCurve curve;
  curve.mse = sums.middleCols(owned.begin, owned.size()) / static_cast<double>(problem.rows());
  curve.bound = problem.comm().max(shared.bound);
  curve.terms = problem.comm().max(std::int64_t{shared.factors.cols()});
  curve.exact_rows = weights.hard_rows;
  return curve;
}

}  // namespace cinecortex::encoding
