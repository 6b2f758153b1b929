#include "shared_terms.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>

#include "cinecortex/linalg/dense.hpp"

namespace cinecortex::encoding {
namespace {

/// How much directions and alphas count in a family.
struct FamilyWeights {
  VectorD rows, columns;  ///< [r], [A]
};

/// Chooses the terms and how many of them each target needs.
class TermChooser {
 public:
  TermChooser(const SpectralForm& form, const MatrixD& projection, const VectorD& squares_y,
              const std::vector<double>& alphas, const WeightRange& weights, double tolerance)
      : values_(form.values()),
        alphas_(alphas),
        weights_(weights),
        tolerance_(tolerance),
        squares_y_(squares_y),
        squared_(projection.cwiseAbs2()) {
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

  /// Of the family whose truncation costs least where it counts: half the bound of a target at an alpha is
  /// spread · ‖Δe‖ / ‖e‖. Weighted so, the squares of what terms leave are those of this half, of a mean target, summed over
  /// alphas. A target that is explained nearly wholly counts as if a thousandth of it were left: it must not outweigh all.
  FamilyWeights weights_of_mean_target() const {
    constexpr double least_share = 1e-3;
    const Index targets = squared_.cols();
    VectorD scale = VectorD::Zero(targets);  // 1/‖e‖² at the alpha of the least residual
    VectorD columns = VectorD::Zero(residual_squares_.rows());
    for (Index v = 0; v < targets; ++v) {
      const double least = std::max(residual_squares_.col(v).minCoeff(), least_share * squares_y_[v]);
      if (!(least > 0) || !std::isfinite(1 / least)) continue;
      scale[v] = 1 / static_cast<double>(targets) / least;
      for (Index a = 0; a < columns.size(); ++a) {
        columns[a] +=
            std::sqrt(std::min(1.0, least / residual_squares_(a, v))) / static_cast<double>(targets);
      }
    }
    return {values_.cwiseProduct((squared_ * scale).cwiseSqrt()), columns.cwiseProduct(weights_.spread)};
  }

  /// The terms for these weights, and how many of them each target needs: hardly more than certify the tolerance.
  std::vector<Index> choose(const FamilyWeights& weights) {
    // What a term costs, in directions, as measured: that its products go to memory, and its sums over alphas.
    const double of_a_term = 50 + 1.6 * static_cast<double>(alphas_.size());
    family_.emplace(
        values_, alphas_, weights.rows, weights.columns,
        ranges_of_terms(values_, alphas_, weights.rows, weights.columns, tolerance_ / 2, of_a_term));
    return terms_needed();
  }

  SharedTerms share(const std::vector<Index>& needed) const {
    SharedTerms shared{.family = *family_};
    shared.order.resize(needed.size());
    std::iota(shared.order.begin(), shared.order.end(), 0);
    std::stable_sort(shared.order.begin(), shared.order.end(),
                     [&](Index a, Index b) { return of(needed, a) < of(needed, b); });
    shared.terms.resize(needed.size());
    const auto targets = static_cast<Index>(needed.size());
    for (Index i = 0; i < targets; ++i) {
      const Index last_of_tile = std::min(targets, (i / targets_of_a_tile + 1) * targets_of_a_tile) - 1;
      shared.terms[static_cast<std::size_t>(i)] = of(needed, of(shared.order, last_of_tile));
    }
    correct(shared);
    return shared;
  }

 private:
  static Index of(const std::vector<Index>& list, Index i) { return list[static_cast<std::size_t>(i)]; }

  MatrixD products(const MatrixD& of_values) const {
    return linalg::product(true, false, of_values, squared_);
  }

  /// What a number of terms leaves of the shrinkages [r, A].
  MatrixD rest_of(Index terms) const { return values_.asDiagonal() * family_->rest(terms); }

  /// The largest relative error of a target's curve after the correction.
  /// @param wrong  ‖Δe‖² at each alpha [A]
  template <class Column>
  double bound(const Column& wrong, Index target) const {
    double largest = 0;
    for (Index a = 0; a < wrong.size(); ++a) {
      const double exact = residual_squares_(a, target);  // at most, since no weight is below 1
      const double off = weights_.spread[a] * (2 * std::sqrt(exact * wrong[a]) + wrong[a]);
      if (off > 0) largest = std::max(largest, exact > 0 ? off / exact : 1.0);
    }
    return largest;
  }

  std::vector<Index> terms_needed() const {
    const Index most = family_->most_terms(), targets = squared_.cols();
    std::vector<Index> needed(static_cast<std::size_t>(targets), most);
    std::vector<Index> open(needed.size()), probes;
    std::iota(open.begin(), open.end(), 0);
    const Index some = std::min<Index>(16, targets);
    for (Index i = 0; i < some; ++i) probes.push_back(i * targets / some);
    const MatrixD squared_of_probes = squared_(Eigen::all, probes);
    for (Index terms = std::min<Index>(3, most); terms < most && !open.empty(); ++terms) {
      const MatrixD squares = rest_of(terms).cwiseAbs2();
      // Before any target has enough, a few tell whether it is worth while to look at all.
      if (std::ssize(open) == targets) {
        const MatrixD wrong = linalg::product(true, false, squares, squared_of_probes);
        bool enough = false;
        for (Index i = 0; i < some; ++i) enough = enough || bound(wrong.col(i), of(probes, i)) <= tolerance_;
        if (!enough) continue;
      }
      const MatrixD wrong = products(squares);
      std::erase_if(open, [&](Index target) {
        if (bound(wrong.col(target), target) > tolerance_) return false;
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
      const MatrixD rest = rest_of(terms);
      const MatrixD wrong = products(rest.cwiseAbs2());                 // ‖Δe‖² [A, t]
      const MatrixD along = products(rest.cwiseProduct(unexplained_));  // e·Δe [A, t]
      for (; i < shared.order.size() && shared.terms[i] == terms; ++i) {
        const Index target = shared.order[i];
        // With the middle weight for every row the error would be just this; what is left is its spread.
        shared.correction.col(target) =
            -weights_.middle.cwiseProduct(2 * along.col(target) + wrong.col(target));
        shared.bound = std::max(shared.bound, bound(wrong.col(target), target));
      }
    }
  }

  const VectorD& values_;
  const std::vector<double>& alphas_;
  const WeightRange& weights_;
  double tolerance_;
  const VectorD& squares_y_;
  MatrixD squared_;  ///< ŷ² [r, t]
  std::optional<AlphaFamily> family_;
  MatrixD unexplained_;       ///< [r, A]
  MatrixD residual_squares_;  ///< ‖e‖² [A, t]
};

}  // namespace

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

SharedTerms choose_terms(const RidgeProblem& problem, const SpectralForm& form, const MatrixD& projection,
                         const VectorD& squares_y, const std::vector<double>& alphas,
                         const WeightRange& weights, double tolerance) {
  const auto& comm = problem.comm();
  const auto& axis = problem.grid().run_axis();
  FamilyWeights of_family;
  auto chooser = parallel::agree(comm, [&] {
    TermChooser made(form, projection, squares_y, alphas, weights, tolerance);
    of_family = made.weights_of_mean_target();
    return made;
  });
  axis.broadcast(numbers(of_family.rows));
  axis.broadcast(numbers(of_family.columns));
  std::vector<Index> needed = parallel::agree(comm, [&] { return chooser.choose(of_family); });
  axis.broadcast(std::span(needed));
  return parallel::agree(comm, [&] { return chooser.share(needed); });
}

}  // namespace cinecortex::encoding
