#include "cinecortex/encoding/held_out.hpp"

#include <algorithm>
#include <cmath>
#include <mutex>
#include <optional>

#include "columns.hpp"
#include "held_out_rows.hpp"
#include "target_tiles.hpp"

namespace cinecortex::encoding {
namespace {

using linalg::product;

/// Responses in a unit of their own, a power of two near ‖ỹ‖, so that float32 holds squares of whatever they are made of.
VectorD units_of(const VectorD& squares) {
  return squares.unaryExpr(
      [](double square) { return square > 0 ? std::exp2(std::rint(std::log2(square) / 2)) : 1.0; });
}

/// Some targets in the axes of the fit.
template <class Scalar>
struct Projected {
  Matrix<Scalar> fit;       ///< [r, t] of the rows of the fit, in fit_unit
  Matrix<Scalar> held_out;  ///< [r, t] of the held-out rows, in held_out_unit
  VectorD fit_unit, held_out_unit;
  VectorD gap;    ///< [t] mean of the held-out responses, less that of the fit's
  VectorD truth;  ///< [t] ‖ỹ‖² of the held-out responses
};

template <class Scalar>
Projected<Scalar> project(const HeldOutRows& rows, const CentredStatistics& fit, Range targets) {
  const CentredStatistics& test = rows.test();
  Projected<Scalar> some{.gap = test.mean_y(targets) - fit.mean_y(targets), .truth = test.squares_y(targets)};
  some.fit_unit = units_of(fit.squares_y(targets));
  some.held_out_unit = units_of(some.truth);
  some.fit = rows.projected<Scalar>(fit, targets, some.fit_unit.cwiseInverse());
  some.held_out = rows.projected<Scalar>(test, targets, some.held_out_unit.cwiseInverse());
  return some;
}

/// Whether rounding moves neither r nor R² by more than `tolerance`.
/// @param variation  Σŷ²    @param truth  Σỹ²
bool is_resolved(double variation, double rounding, double r, double truth, double tolerance) {
  constexpr double unknown = 0.01;
  if (rounding == 0) return true;
  return rounding <= unknown * variation && rounding * std::abs(r) <= 2 * tolerance * variation &&
         (truth == 0 || rounding <= tolerance * truth);
}

/// Nothing where rounding could show: where a fit hardly varies on the held-out rows, beside what those could make of it.
/// @param variations  in squares of fit_unit
template <class Scalar>
std::optional<HeldOut> score(const HeldOutRows& rows, const Projected<Scalar>& some,
                             const Variation& variations, double tolerance) {
  const MatrixD fit = some.fit.template cast<double>();
  const MatrixD common = fit.cwiseProduct(some.held_out.template cast<double>());
  const MatrixD covariances = product(true, false, rows.beside_largest(), common);
  const MatrixD means =
      product(true, false, MatrixD(rows.offset().asDiagonal() * rows.beside_largest()), fit);
  const Index count = covariances.rows(), targets = covariances.cols();
  HeldOut result{MatrixD(count, targets), MatrixD(count, targets), 0};
  const auto n = static_cast<double>(rows.test().rows());
  const VectorD sizes = some.truth.cwiseSqrt();
  for (Index a = 0; a < count; ++a) {
    for (Index v = 0; v < targets; ++v) {
      const double unit = some.fit_unit[v], fitted = rows.at_largest()[a] * unit, truth = some.truth[v];
      const double gap = some.gap[v] - fitted * means(a, v);
      const double covariance = fitted * some.held_out_unit[v] * covariances(a, v);
      const double variation = unit * unit * variations.squares(a, v);
      const double rounding = unit * unit * variations.rounding(a, v);
      const double sse = std::max(0.0, truth - 2 * covariance + variation) + n * gap * gap;
      const double size = sizes[v] * std::sqrt(variation);
      const double r = size > 0 ? std::clamp(covariance / size, -1.0, 1.0) : 0.0;
      if (!is_resolved(variation, rounding, r, truth, tolerance)) return {};
      result.r(a, v) = r;
      result.r2(a, v) = truth > 0 ? 1.0 - sse / truth : (sse > 0 ? 0.0 : 1.0);
    }
  }
  return result;
}

/// With as little precision as leaves the scores' digits.
HeldOut score(const HeldOutRows& rows, const CentredStatistics& fit, Range targets) {
  constexpr double of_single = 1e-6, of_double = 1e-9;
  if (rows.single()) {
    const auto some = project<float>(rows, fit, targets);
    if (auto result = score(rows, some, rows.variation(some.fit), of_single)) return *result;
  }
  const auto some = project<double>(rows, fit, targets);
  if (auto result = score(rows, some, rows.variation(some.fit), of_double)) return *result;
  return *score(rows, some, rows.variation_by_alpha(some.fit), of_double);
}

}  // namespace

RidgeAxes::RidgeAxes(const CentredStatistics& fit, const linalg::EigenPairs& pairs) : mean_x_(fit.mean_x()) {
  const Index rank = numerical_rank(pairs.values, fit.rows(), mean_x_.size());
  values_ = pairs.values.tail(rank).reverse();
  vectors_ = pairs.vectors.rightCols(rank).rowwise().reverse();
}

HeldOut held_out(const RidgeAxes& axes, const CentredStatistics& fit, const CentredStatistics& test,
                 const std::vector<double>& alphas, Products products) {
  const auto count = static_cast<Index>(alphas.size());
  const Index targets = test.targets();
  const HeldOutRows rows(axes, test, alphas, targets, products);
  HeldOut all{MatrixD(count, targets), MatrixD(count, targets), rows.products()};
  std::mutex one_at_a_time;
  for_each_tile(targets, [&](Range some) {
    const HeldOut result = score(rows, fit, some);
    const std::lock_guard lock(one_at_a_time);
    all.r.middleCols(some.begin, some.size()) = result.r;
    all.r2.middleCols(some.begin, some.size()) = result.r2;
  });
  return all;
}

}  // namespace cinecortex::encoding
