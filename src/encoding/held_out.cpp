#include "cinecortex/encoding/held_out.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <mutex>
#include <optional>
#include <type_traits>

#include "alpha_family.hpp"
#include "columns.hpp"
#include "held_out_rows.hpp"
#include "pair_products.hpp"
#include "target_tiles.hpp"

namespace cinecortex::encoding {
namespace {

using linalg::product;

/// Some targets in the axes of the fit.
struct Projected {
  MatrixD fit;       ///< ĉ = VᵀC̃ [r, t] of the rows of the fit
  MatrixD held_out;  ///< the same of the held-out rows
  MatrixD squared;   ///< ĉ²
  VectorD gap;       ///< [t] mean of the held-out responses, less that of the fit's
  VectorD truth;     ///< [t] ‖ỹ‖² of the held-out responses
};

/// A target that is constant has no variation: not what rounding leaves of its squares [t] about the shift.
void forget_rounding(CentredStatistics& statistics, const VectorD& squares) {
  const double rounding = static_cast<double>(statistics.rows) * std::numeric_limits<double>::epsilon();
  VectorD& centred = statistics.squares_y;
  centred = (centred.array() > rounding * squares.array()).select(centred, 0.0);
}

template <class Scalar>
Projected project(const HeldOutRows& rows, const CentredStatistics& train, const CentredStatistics& test) {
  Projected some{rows.fit_projected<Scalar>(train.cross),
                 rows.projected<Scalar>(test.cross),
                 {},
                 test.mean_y - train.mean_y,
                 test.squares_y};
  some.squared = some.fit.cwiseAbs2();
  return some;
}

/// Sums of squares of every alpha's fitted values on the rows of the fit, if its inverse were `inverses` [r, A].
MatrixD fitted_squares(const MatrixD& inverses, const VectorD& values, const MatrixD& squared) {
  return product(true, false, MatrixD(values.asDiagonal() * inverses.cwiseAbs2()), squared);
}

MatrixD inverses_of(const VectorD& values, const std::vector<double>& alphas) {
  MatrixD inverses(values.size(), static_cast<Index>(alphas.size()));
  for (Index a = 0; a < inverses.cols(); ++a) {
    inverses.col(a) = (values.array() + alphas[static_cast<std::size_t>(a)]).inverse();
  }
  return inverses;
}

/// As few terms as give every alpha's fitted values to `tolerance`: the largest relative error over alphas and targets.
/// @param whole  fitted_squares [A, t]
Index sufficient_terms(const AlphaFamily& family, const VectorD& values, const MatrixD& whole,
                       const MatrixD& squared, double tolerance, double& error) {
  // Where the mean over the targets is above it, so is the largest.
  Index terms = std::min<Index>(1, family.most_terms());
  const double least = tolerance * std::sqrt(static_cast<double>(whole.rows()));
  while (terms < family.most_terms() && family.rest_norm(terms) > least) ++terms;
  for (;; ++terms) {
    const MatrixD wrong = fitted_squares(family.rest(terms), values, squared);
    double largest = 0;
    for (Index i = 0; i < wrong.size(); ++i) {
      if (whole.data()[i] > 0) largest = std::max(largest, wrong.data()[i] / whole.data()[i]);
    }
    error = std::sqrt(largest);
    if (error <= tolerance || terms == family.most_terms()) return terms;
  }
}

VectorD column_weights(const MatrixD& inverses, const VectorD& power) {
  VectorD weights(inverses.cols());
  for (Index a = 0; a < weights.size(); ++a) {
    const double size = std::sqrt((power.array() * inverses.col(a).array().square()).sum());
    weights[a] = size > 0 ? 1.0 / size : 1.0;
  }
  return weights;
}

/// What every alpha's prediction is a combination of: the family's terms, on the held-out rows.
struct Terms {
  MatrixD covariance;             ///< [R, t] Σ ŷ_r y about the means
  MatrixD mean;                   ///< [R, t] mean of ŷ_r, less that of the fit
  std::vector<MatrixD> products;  ///< R of [R, t]: Σ ŷ_q ŷ_r about the means, for q ≤ r

  void put(Index q, Index r, Index first, const VectorD& of_targets) {
    products[static_cast<std::size_t>(std::max(q, r))].row(std::min(q, r)).segment(first, of_targets.size()) =
        of_targets.transpose();
  }
};

constexpr Index multiplied_together = 64;  ///< targets

/// The fitted values of some targets by the terms of one range, side by side: [directions, terms · width].
template <class Scalar>
Matrix<Scalar> fits_of(const RangeTerms& part, const MatrixD& sized, const Eigen::Ref<const MatrixD>& fit,
                       Index width) {
  Matrix<Scalar> fits = Matrix<Scalar>::Zero(part.directions.size(), std::ssize(part.terms) * width);
  const auto in = [&](const auto& all) {
    return all.middleRows(part.directions.begin, part.directions.size());
  };
  for (Index i = 0; i < std::ssize(part.terms); ++i) {
    const Index term = part.terms[static_cast<std::size_t>(i)];
    fits.middleCols(i * width, fit.cols()) =
        (in(sized).col(term).asDiagonal() * in(fit)).template cast<Scalar>();
  }
  return fits;
}

/// Puts the pairs of two ranges' terms in their place, or those of a range with itself, which are met twice.
/// @param sums  [terms on the left · terms on the right, .] of targets from `first` on
void put_pairs(const RangeTerms& left, const RangeTerms& right, const MatrixD& sums, Index first, Index size,
               Terms& terms) {
  const bool same = &left == &right;
  const Index others = std::ssize(right.terms);
  for (Index q = 0; q < std::ssize(left.terms); ++q) {
    for (Index r = same ? q : 0; r < others; ++r) {
      VectorD pair = sums.row(q * others + r).head(size).transpose();
      if (same) pair += sums.row(r * others + q).head(size).transpose();
      terms.put(left.terms[static_cast<std::size_t>(q)], right.terms[static_cast<std::size_t>(r)], first,
                pair);
    }
  }
}

template <class Scalar>
Terms predict_terms(const HeldOutRows& rows, const AlphaFamily& family, Index count, const Projected& some) {
  const Index targets = some.fit.cols();
  const MatrixD factors = family.factors(count);
  Terms terms{product(true, false, factors, MatrixD(some.fit.cwiseProduct(some.held_out))),
              product(true, false, MatrixD(rows.offset().asDiagonal() * factors), some.fit),
              {}};
  for (Index r = 0; r < count; ++r) terms.products.emplace_back(count, targets);
  const MatrixD sized = rows.axes().values().cwiseSqrt().asDiagonal() * factors;
  const auto parts = family.by_range(count);
  constexpr Index width = multiplied_together;
  for (Index begin = 0; begin < targets; begin += width) {
    const Index size = std::min(width, targets - begin);
    std::vector<Matrix<Scalar>> fits;
    for (const auto& right : parts) {
      fits.push_back(fits_of<Scalar>(right, sized, some.fit.middleCols(begin, size), width));
      const Matrix<Scalar> images = rows.half_gram_times(right.directions, fits.back());
      // Below the range's own directions the images are zero: a pair of ranges is met once, with the larger one right.
      for (std::size_t l = 0; l < fits.size(); ++l) {
        const auto& left = parts[l];
        MatrixD sums = MatrixD::Zero(std::ssize(left.terms) * std::ssize(right.terms), width);
        add_pair_products(fits[l], images.middleRows(left.directions.begin, left.directions.size()), sums);
        put_pairs(left, right, sums, begin, size, terms);
      }
    }
  }
  return terms;
}

/// ‖ŷ‖² about the mean, of one alpha: [t].
VectorD variation_of(const Terms& terms, const Eigen::Ref<const VectorD>& coefficients) {
  VectorD variation = VectorD::Zero(terms.mean.cols());
  for (Index r = 0; r < coefficients.size(); ++r) {
    const MatrixD& with = terms.products[static_cast<std::size_t>(r)];
    for (Index q = 0; q <= r; ++q) {
      const double twice = q < r ? 2.0 : 1.0;
      variation += twice * coefficients[q] * coefficients[r] * with.row(q).transpose();
    }
  }
  return variation.cwiseMax(0.0);
}

/// Of every alpha's fitted values; that of r and R² is about twice as large.
template <class Scalar>
constexpr double tolerance = std::is_same_v<Scalar, float> ? 1e-7 : 1e-9;

/// Nothing where float32 loses digits: where a fit hardly varies on the held-out rows, beside what those could make of it.
template <class Scalar>
std::optional<HeldOut> score(const HeldOutRows& rows, const Projected& some,
                             const std::vector<double>& alphas, const std::vector<Range>& ranges) {
  const auto count = static_cast<Index>(alphas.size());
  const Index targets = some.fit.cols();
  const VectorD& values = rows.axes().values();
  const MatrixD inverses = inverses_of(values, alphas);
  const VectorD power = values.cwiseProduct(some.squared.rowwise().sum());
  const AlphaFamily family(values, alphas, power.cwiseSqrt(), column_weights(inverses, power), ranges);

  HeldOut result{MatrixD::Zero(count, targets), MatrixD::Zero(count, targets)};
  const MatrixD fitted = fitted_squares(inverses, values, some.squared);
  const Index sufficient =
      sufficient_terms(family, values, fitted, some.squared, tolerance<Scalar>, result.error);
  for (const auto& part : family.by_range(sufficient)) {
    result.products += static_cast<double>(std::ssize(part.terms)) * rows.share_of(part.directions);
  }
  const Terms terms = predict_terms<Scalar>(rows, family, sufficient, some);
  const MatrixD coefficients = family.coefficients(sufficient);

  constexpr double least_share = 0.04;
  const auto n = static_cast<double>(rows.test().rows);
  for (Index a = 0; a < count; ++a) {
    const VectorD of_terms = coefficients.col(a);
    const VectorD variation = variation_of(terms, of_terms);
    if constexpr (std::is_same_v<Scalar, float>) {
      const double least = least_share * rows.single_norm();
      if ((variation.transpose().array() < least * fitted.row(a).array()).any()) return {};
    }
    const VectorD covariance = terms.covariance.transpose() * of_terms;
    const VectorD gap = some.gap - terms.mean.transpose() * of_terms;
    for (Index v = 0; v < targets; ++v) {
      const double truth = some.truth[v];
      const double sse = std::max(0.0, truth - 2 * covariance[v] + variation[v]) + n * gap[v] * gap[v];
      const double size = std::sqrt(truth) * std::sqrt(variation[v]);
      result.r(a, v) = size > 0 ? std::clamp(covariance[v] / size, -1.0, 1.0) : 0.0;
      result.r2(a, v) = truth > 0 ? 1.0 - sse / truth : (sse > 0 ? 0.0 : 1.0);
    }
  }
  return result;
}

}  // namespace

RidgeAxes::RidgeAxes(const CentredStatistics& fit, const linalg::EigenPairs& pairs) : mean_x_(fit.mean_x) {
  const Index rank = numerical_rank(pairs.values, fit.rows, mean_x_.size());
  values_ = pairs.values.tail(rank).reverse();
  vectors_ = pairs.vectors.rightCols(rank).rowwise().reverse();
}

HeldOut held_out(const RidgeAxes& axes, const TrainOf& train, const Statistics& test,
                 const std::vector<double>& alphas, Products products) {
  const auto count = static_cast<Index>(alphas.size());
  const Index targets = test.targets();
  const HeldOutRows rows(axes, test, targets, products);
  HeldOut all{MatrixD(count, targets), MatrixD(count, targets)};
  const auto ranges = rows.ranges(alphas, rows.single() ? tolerance<float> : tolerance<double>);
  std::mutex one_at_a_time;
  for_each_tile(targets, [&](Range some) {
    const CentredStatistics fitted = train(some);
    CentredStatistics left_out = centre(test.of_targets(some));
    forget_rounding(left_out, test.squares_y.segment(some.begin, some.size()));
    std::optional<HeldOut> result;
    if (rows.single()) result = score<float>(rows, project<float>(rows, fitted, left_out), alphas, ranges);
    if (!result) result = score<double>(rows, project<double>(rows, fitted, left_out), alphas, ranges);
    const std::lock_guard lock(one_at_a_time);
    all.r.middleCols(some.begin, some.size()) = result->r;
    all.r2.middleCols(some.begin, some.size()) = result->r2;
    all.error = std::max(all.error, result->error);
    all.products = std::max(all.products, result->products);
  });
  return all;
}

}  // namespace cinecortex::encoding
