#include "shared_terms.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>

#include "cinecortex/linalg/dense.hpp"

namespace cinecortex::encoding {
namespace {

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
      const Index last_of_tile = std::min(targets, (i / targets_of_a_tile + 1) * targets_of_a_tile) - 1;
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
    return linalg::product(true, false, of_values, squared_);
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
    constexpr double of_a_term = 150;  // sums over alphas, as measured
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

SharedTerms choose_terms(const SpectralForm& form, const MatrixD& projection, const VectorD& squares_y,
                         const std::vector<double>& alphas, const WeightRange& weights, double tolerance) {
  return TermChooser(form, projection, squares_y, alphas, weights).choose(tolerance);
}

}  // namespace cinecortex::encoding
