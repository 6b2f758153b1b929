#include "leave_one_out.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>
#include <span>

#include "alpha_family.hpp"
#include "any_processor.hpp"
#include "cinecortex/linalg/dense.hpp"
#include "cinecortex/parallel/threads.hpp"
#include "leave_out.hpp"
#include "stream_ahead.hpp"

namespace cinecortex::encoding {
namespace {

constexpr Index strip = 32;        ///< targets that are summed side by side, in registers
constexpr Index tile = 4 * strip;  ///< targets that are multiplied together

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

/// 1 - h of rows of U at every alpha: what no alpha reaches, and what shrinking leaves.
class Gaps {
 public:
  Gaps(const VectorD& values, const std::vector<double>& alphas, Index rows_global)
      : shapes_(values.size(), static_cast<Index>(alphas.size())),
        factors_(shapes_.cols()),
        rows_global_(static_cast<double>(rows_global)) {
    for (Index a = 0; a < shapes_.cols(); ++a) {
      const Shrinkage shrinkage(values, alphas[static_cast<std::size_t>(a)]);
      if (values.size() > 0) shapes_.col(a) = shrinkage.shape;
      factors_[a] = shrinkage.factor;
    }
  }

  /// Squares are float64; strips of rows keep them in the cache.
  template <class Scalar>
  void put(const Matrix<Scalar>& u, ViewD to) const {
    constexpr Index strip_rows = 64;
    parallel::for_each_in_threads((u.rows() + strip_rows - 1) / strip_rows, [&](Index i) {
      const Index begin = i * strip_rows, rows = std::min(strip_rows, u.rows() - begin);
      const MatrixD squared = u.middleRows(begin, rows).template cast<double>().cwiseAbs2();
      MatrixD gaps = MatrixD::Zero(rows, shapes_.cols());
      linalg::gemm(false, false, 1.0, squared, shapes_, 0.0, gaps);
      gaps = gaps * factors_.asDiagonal();
      const VectorD rest = (1.0 - 1.0 / rows_global_ - squared.rowwise().sum().array()).matrix();
      gaps.colwise() += rest;
      to.middleRows(begin, rows) = gaps;
    });
  }

 private:
  MatrixD shapes_;
  VectorD factors_;
  double rows_global_;
};

/// How alphas share terms for one grid column's targets, and how far the shared form can be off. Each target needs as
/// many terms as certify its own curve; they are taken in the order of that number, in tiles.
struct SharedTerms {
  AlphaFamily family;        ///< p_q = U (λ ∘ factors_q ∘ ŷ)
  std::vector<Index> order;  ///< [t_col] targets by the number of terms they need
  std::vector<Index> terms;  ///< [t_col] in this order: that of the tile's most demanding target
  MatrixD correction;        ///< [A, t_col] to add to the sums: the part of the error that is known
  double bound = 0;          ///< largest relative error left, over alphas and targets

  Index most() const { return terms.empty() ? 0 : terms.back(); }
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

/// Chooses the terms and how many of them each target needs: as few as certify `tolerance`.
class TermChooser {
 public:
  TermChooser(const SpectralForm& form, const MatrixD& projection, const VectorD& squares_y,
              const std::vector<double>& alphas, const WeightRange& weights)
      : values_(form.values()), weights_(weights), squared_(projection.cwiseAbs2()) {
    const auto count = static_cast<Index>(alphas.size());
    unexplained_ = MatrixD(values_.size(), count);  // 1 - λ/(λ+α)
    for (Index a = 0; a < count; ++a) {
      const double alpha = alphas[static_cast<std::size_t>(a)];
      unexplained_.col(a) = alpha / (values_.array() + alpha);
    }
    const VectorD out_of_reach = (squares_y - squared_.colwise().sum().transpose()).cwiseMax(0.0);
    residual_squares_ = products(unexplained_.cwiseAbs2());
    residual_squares_.rowwise() += out_of_reach.transpose();
    family_.emplace(best_family(alphas));
  }

  SharedTerms choose(double tolerance) const {
    const std::vector<Index> needed = terms_needed(tolerance);
    SharedTerms shared{.family = *family_};
    shared.order.resize(needed.size());
    std::iota(shared.order.begin(), shared.order.end(), 0);
    std::stable_sort(shared.order.begin(), shared.order.end(),
                     [&](Index a, Index b) { return of(needed, a) < of(needed, b); });
    shared.terms.resize(needed.size());
    const auto targets = static_cast<Index>(needed.size());
    for (Index i = 0; i < targets; ++i) {
      const Index last_of_tile = std::min(targets, (i / tile + 1) * tile) - 1;
      shared.terms[static_cast<std::size_t>(i)] = of(needed, of(shared.order, last_of_tile));
    }
    correct(shared);
    return shared;
  }

 private:
  /// What a number of terms leaves of each alpha and target.
  struct Rest {
    MatrixD wrong;  ///< ‖Δe‖² [A, t]
    MatrixD along;  ///< e·Δe [A, t]
  };

  static Index of(const std::vector<Index>& list, Index i) { return list[static_cast<std::size_t>(i)]; }

  MatrixD products(const MatrixD& of_values) const {
    MatrixD result = MatrixD::Zero(of_values.cols(), squared_.cols());
    linalg::gemm(true, false, 1.0, of_values, squared_, 0.0, result);
    return result;
  }

  /// The family whose truncation costs least where it counts: the bound of a target at an alpha is
  /// 2 · spread · ‖Δe‖ / ‖e‖.
  AlphaFamily best_family(const std::vector<double>& alphas) const {
    const Index targets = squared_.cols();
    VectorD scale = VectorD::Zero(targets);  // 1/‖e‖² at the alpha of the least residual
    VectorD columns = VectorD::Zero(residual_squares_.rows());
    for (Index v = 0; v < targets; ++v) {
      const double least = residual_squares_.col(v).minCoeff();
      if (least <= 0) continue;
      scale[v] = 1 / least;
      for (Index a = 0; a < columns.size(); ++a) columns[a] += std::sqrt(least / residual_squares_(a, v));
    }
    const bool any = (scale.array() > 0).any();
    const VectorD power = any ? VectorD(squared_ * scale) : VectorD(squared_.rowwise().sum());
    columns = any ? VectorD(columns.cwiseProduct(weights_.spread)) : VectorD::Ones(columns.size());
    constexpr double of_a_term = 60;  // sums over alphas
    constexpr double usual =
        1e-6;  // fitted values are some tenths of the residual, weights spread by as much
    return AlphaFamily(values_, alphas, values_.cwiseProduct(power.cwiseSqrt()), columns,
                       ranges_of_terms(values_, alphas, usual, of_a_term));
  }

  Rest rest_of(Index terms) const {
    const MatrixD rest = values_.asDiagonal() * family_->rest(terms);
    return {products(rest.cwiseAbs2()), products(rest.cwiseProduct(unexplained_))};
  }

  /// The largest relative error of a target's curve after the correction.
  double bound(const Rest& rest, Index target) const {
    double largest = 0;
    for (Index a = 0; a < rest.wrong.rows(); ++a) {
      const double exact = residual_squares_(a, target);  // at most, since no weight is below 1
      const double wrong = rest.wrong(a, target);
      const double off = weights_.spread[a] * (2 * std::sqrt(exact * wrong) + wrong);
      if (off > 0) largest = std::max(largest, exact > 0 ? off / exact : 1.0);
    }
    return largest;
  }

  std::vector<Index> terms_needed(double tolerance) const {
    const Index most = family_->most_terms();
    std::vector<Index> needed(static_cast<std::size_t>(squared_.cols()), most);
    std::vector<Index> open(needed.size());
    std::iota(open.begin(), open.end(), 0);
    for (Index terms = std::min<Index>(3, most); terms < most && !open.empty(); ++terms) {
      const Rest rest = rest_of(terms);
      std::erase_if(open, [&](Index target) {
        if (bound(rest, target) > tolerance) return false;
        needed[static_cast<std::size_t>(target)] = terms;
        return true;
      });
    }
    return needed;
  }

  void correct(SharedTerms& shared) const {
    shared.correction = MatrixD::Zero(residual_squares_.rows(), squared_.cols());
    for (std::size_t i = 0; i < shared.order.size();) {
      const Index terms = shared.terms[i];
      const Rest rest = rest_of(terms);
      for (; i < shared.order.size() && shared.terms[i] == terms; ++i) {
        const Index target = shared.order[i];
        // With the middle weight for every row the error would be just this; what is left is its spread.
        shared.correction.col(target) =
            -weights_.middle.cwiseProduct(2 * rest.along.col(target) + rest.wrong.col(target));
        shared.bound = std::max(shared.bound, bound(rest, target));
      }
    }
  }

  const VectorD& values_;
  const WeightRange& weights_;
  MatrixD squared_;  ///< ŷ² [r, t]
  std::optional<AlphaFamily> family_;
  MatrixD unexplained_;       ///< [r, A]
  MatrixD residual_squares_;  ///< ‖e‖² [A, t]
};

/// Sums weighted squares over rows. Blocks of few rows wait to be multiplied together, for they would not fill the
/// processor.
template <class Scalar>
class RowPass {
 public:
  RowPass(const SharedTerms& shared, const VectorD& values, const MatrixD& projection, Index alphas)
      : shared_(shared),
        projection_(projection(Eigen::all, shared.order).template cast<Scalar>()),
        factors_((values.asDiagonal() * shared.family.factors(shared.most())).template cast<Scalar>()),
        coefficients_(shared.family.coefficients(shared.most()).transpose().template cast<Scalar>()),
        alphas_(alphas),
        sums_(MatrixD::Zero(alphas, projection.cols())) {}

  void add(const Matrix<Scalar>& u, const Matrix<Scalar>& y, const MatrixD& gaps) {
    const Matrix<Scalar> weights = gaps.cwiseInverse().template cast<Scalar>();
    if (count_ == 0 && u.rows() >= enough_rows) return multiply(u, y, weights);
    if (count_ + u.rows() > u_.rows()) {
      u_.conservativeResize(count_ + u.rows(), u.cols());
      y_.conservativeResize(count_ + u.rows(), y.cols());
      weights_.conservativeResize(count_ + u.rows(), alphas_);
    }
    u_.middleRows(count_, u.rows()) = u;
    y_.middleRows(count_, u.rows()) = y;
    weights_.middleRows(count_, u.rows()) = weights;
    count_ += u.rows();
    if (count_ >= enough_rows) flush();
  }

  /// [A, t_col], targets as the source has them.
  MatrixD& finish() {
    flush();
    return sums_;
  }

 private:
  static constexpr Index enough_rows = 1536;

  void flush() {
    if (count_ > 0) multiply(u_.topRows(count_), y_.topRows(count_), weights_.topRows(count_));
    count_ = 0;
  }

  using Rows = Eigen::Ref<const Matrix<Scalar>>;

  void multiply(const Rows& u, const Rows& y, const Rows& weights) {
    const Index targets = projection_.cols();
    for (Index begin = 0; begin < targets; begin += tile) {
      add_tile(u, y, weights, {begin, std::min(targets, begin + tile)});
    }
  }

  /// The tile's projections in some directions times those of each of the terms' factors, side by side.
  void scale(Range directions, const std::vector<Index>& terms, Range columns, Index width) {
    scaled_.resize(directions.size(), std::ssize(terms) * width);
    constexpr Index some = 128;
    parallel::for_each_in_threads((scaled_.rows() + some - 1) / some, [&](Index i) {
      for (Index j = i * some; j < std::min(scaled_.rows(), (i + 1) * some); ++j) {
        Scalar* to = scaled_.row(j).data();
        const auto from = projection_.row(directions.begin + j).segment(columns.begin, columns.size());
        for (const Index q : terms) {
          Eigen::Map<Matrix<Scalar>>(to, 1, columns.size()) = factors_(directions.begin + j, q) * from;
          std::fill(to + columns.size(), to + width, Scalar{0});
          to += width;
        }
      }
    });
  }

  void add_tile(const Rows& u, const Rows& y, const Rows& weights, Range columns) {
    const Index terms = shared_.terms[static_cast<std::size_t>(columns.end - 1)];
    const Index width = (columns.size() + strip - 1) / strip * strip;
    products_.resize(u.rows(), terms * width);
    Matrix<Scalar> coefficients(alphas_, terms);
    Index done = 0;
    for (std::size_t b = 0; b < shared_.family.ranges().size(); ++b) {
      const Range directions = shared_.family.ranges()[b];
      const auto in_range = shared_.family.in_range(b, terms);
      const Index count = std::ssize(in_range);
      if (count == 0) continue;
      scale(directions, in_range, columns, width);
      linalg::gemm(false, false, Scalar{1}, u.middleCols(directions.begin, directions.size()), scaled_,
                   Scalar{0}, products_.middleCols(done * width, count * width));
      coefficients.middleCols(done, count) = coefficients_(Eigen::all, in_range);
      done += count;
    }
    parallel::for_each_in_threads(width / strip, [&](Index s) {
      const Index first = columns.begin + s * strip, used = std::min(strip, columns.end - first);
      const auto targets =
          std::span(shared_.order).subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(used));
      Matrix<Scalar> strip_y = Matrix<Scalar>::Zero(u.rows(), strip);
      for (Index i = 0; i < u.rows(); ++i) {
        for (Index v = 0; v < used; ++v) strip_y(i, v) = y(i, targets[static_cast<std::size_t>(v)]);
      }
      std::vector<Scalar> scratch(static_cast<std::size_t>(alphas_ * strip));
      MatrixD sums = MatrixD::Zero(alphas_, strip);
      add_squares(StripWork<Scalar>{.terms = products_.data() + s * strip,
                                    .terms_row = products_.cols(),
                                    .term_step = width,
                                    .y = strip_y.data(),
                                    .y_row = strip,
                                    .weights = weights.data(),
                                    .coefficients = coefficients.data(),
                                    .rows = u.rows(),
                                    .alphas = alphas_,
                                    .count = terms,
                                    .scratch = scratch.data(),
                                    .sums = sums.data()});
      for (Index v = 0; v < used; ++v) sums_.col(targets[static_cast<std::size_t>(v)]) += sums.col(v);
    });
  }

  const SharedTerms& shared_;
  Matrix<Scalar> projection_;    ///< [r, t_col] in the order of the terms
  Matrix<Scalar> factors_;       ///< [r, R]
  Matrix<Scalar> coefficients_;  ///< [A, R]
  Index alphas_;
  MatrixD sums_;  ///< [A, t_col]
  Matrix<Scalar> u_, y_, weights_, products_, scaled_;
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

/// The rank of a grid row that makes the rows of U of its i-th block.
int owner(std::size_t i, int parts) {
  return static_cast<int>(i % static_cast<std::size_t>(parts));
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
  RowPass<Scalar> pass(shared, form.values(), projection, static_cast<Index>(alphas.size()));
  std::optional<LeaveOneOut> exact;  // a copy of the projection, so only where it is needed
  if (weights.hard_rows > 0) exact.emplace(form.values(), projection, alphas, problem.rows());
  stream_ahead(
      problem, [&](Index block) { return centred_responses<Scalar>(problem, block, mean_y); },
      [&](Index block, const Matrix<Scalar>& y) {
        const Range rows{problem.first_row(block), problem.first_row(block + 1)};
        const auto hard = hard_rows_of(leverages, rows);
        Matrix<Scalar> made;
        const Matrix<Scalar>& u = leverages.left_vectors(block, made);
        // Hard rows take part with the middle weight; what theirs is beyond it comes from the exact sums.
        MatrixD gaps = leverages.gaps().middleRows(rows.begin, rows.size());
        for (const Index row : hard) gaps.row(row) = weights.middle.cwiseSqrt().cwiseInverse().transpose();
        pass.add(u, y, gaps);
        if (hard.empty()) return;
        MatrixD made_again;
        exact->add_beyond(weights.middle, leverages.left_vectors(block, made_again)(hard, Eigen::all),
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
  // Ranks of a grid row have the same blocks: each makes the rows of U of some, and gives the others those to keep.
  const auto blocks = problem.blocks_with_rows_local();
  const std::size_t kept = blocks_that_fit(problem, blocks, cache_bytes);
  const int part = problem.grid().target_part(), parts = problem.grid().target_parts();
  const Gaps gaps(form.values(), alphas, problem.rows());
  parallel::agree(problem.comm(), [&] {
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      interrupt::check();
      const Index block = blocks[i];
      const bool own = owner(i, parts) == part;
      const auto to = gaps_.middleRows(problem.first_row(block), problem.rows(block));
      if (form.single_precision()) {
        make_rows(
            own, i < kept, problem.rows(block), kept_single_[static_cast<std::size_t>(block)],
            [&] { return form.left_vectors_single(block); }, [&](const MatrixF& u) { gaps.put(u, to); });
      } else {
        make_rows(
            own, i < kept, problem.rows(block), kept_double_[static_cast<std::size_t>(block)],
            [&] { return form.left_vectors(block); }, [&](const MatrixD& u) { gaps.put(u, to); });
      }
    }
  });
  if (parts > 1) {
    const auto row = problem.comm().split(problem.grid().run_part(), part);
    for (std::size_t i = 0; i < kept; ++i) {
      const auto block = static_cast<std::size_t>(blocks[i]);
      row.broadcast(numbers(kept_single_[block]), owner(i, parts));
      row.broadcast(numbers(kept_double_[block]), owner(i, parts));
    }
  }
  problem.comm().sum(numbers(gaps_));
  hard_ = hard_threshold();
}

template <class Scalar, class Make, class Put>
void Leverages::make_rows(bool own, bool keep, Index rows, Matrix<Scalar>& kept, Make&& make,
                          Put&& put) const {
  if (own) {
    Matrix<Scalar> u = make();
    put(u);
    if (keep) kept = std::move(u);
  } else if (keep) {
    kept.resize(rows, form_.rank());
  }
}

std::size_t Leverages::blocks_that_fit(const RidgeProblem& problem, const std::vector<Index>& blocks,
                                       Index cache_bytes) const {
  if (!form_.single_precision() && form_.name() != "primal") return 0;  // the dual form keeps all of U itself
  const Index number = form_.single_precision() ? 4 : 8;
  std::size_t count = 0;
  for (Index bytes = 0; count < blocks.size(); ++count) {
    bytes += problem.rows(blocks[count]) * form_.rank() * number;
    if (bytes > cache_bytes) break;
  }
  return count;
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

const MatrixF& Leverages::left_vectors(Index block, MatrixF& room) const {
  const MatrixF& kept = kept_single_[static_cast<std::size_t>(block)];
  if (kept.size() > 0) return kept;
  return room = form_.left_vectors_single(block);
}

const MatrixD& Leverages::left_vectors(Index block, MatrixD& room) const {
  const MatrixD& kept = kept_double_[static_cast<std::size_t>(block)];
  if (kept.size() > 0) return kept;
  return room = form_.left_vectors(block);
}

namespace {

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
  curve.products = mean_products(shared, problem);
  curve.exact_rows = weights.hard_rows;
  return curve;
}

}  // namespace cinecortex::encoding
