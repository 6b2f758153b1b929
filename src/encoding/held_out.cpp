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

/// Some targets in the axes of the fit, in units of responses.
template <class Scalar>
struct Projected {
  Matrix<Scalar> fit;       ///< [r, t] of the rows of the fit
  Matrix<Scalar> held_out;  ///< [r, t] of the held-out rows
  VectorD gap;              ///< [t] mean of the held-out responses, less that of the fit's
  VectorD truth;            ///< [t] ‖ỹ‖² of the held-out responses
};

template <class Scalar>
Projected<Scalar> project(const HeldOutRows& rows, const CentredStatistics& fit, Range targets) {
  const CentredStatistics& test = rows.test();
  return {rows.projected<Scalar>(fit, targets), rows.projected<Scalar>(test, targets),
          test.mean_y(targets) - fit.mean_y(targets), test.squares_y(targets)};
}

/// Whether rounding moves neither r nor R² by more than `tolerance`.
/// @param variation  Σŷ²    @param truth  Σỹ²
bool is_resolved(double variation, double rounding, double r, double truth, double tolerance) {
  constexpr double unknown = 0.01;
  if (rounding == 0) return true;
  return rounding <= unknown * variation && rounding * std::abs(r) <= 2 * tolerance * variation &&
         (truth == 0 || rounding <= tolerance * truth);
}

/// Whether float32 holds the squares of what is fitted to responses of these sizes [t].
bool fits_single(const VectorD& truth) {
  return ((truth.array() == 0) || (truth.array() > 1e-24 && truth.array() < 1e24)).all();
}

/// Nothing where rounding could show: where a fit hardly varies on the held-out rows, beside what those could make of it.
template <class Scalar>
std::optional<HeldOut> score(const HeldOutRows& rows, const Projected<Scalar>& some,
                             const Variation& variations, double tolerance) {
  const Matrix<Scalar>& shrinkages = rows.beside_largest<Scalar>();
  const Index count = shrinkages.cols(), targets = some.fit.cols();
  const MatrixD common = some.fit.template cast<double>().cwiseProduct(some.held_out.template cast<double>());
  const MatrixD covariances = product(true, false, rows.beside_largest<double>(), common);
  const Matrix<Scalar> means =
      product(true, false, Matrix<Scalar>(rows.offset().cast<Scalar>().asDiagonal() * shrinkages), some.fit);
  HeldOut result{MatrixD(count, targets), MatrixD(count, targets), 0};
  const auto n = static_cast<double>(rows.test().rows());
  const VectorD sizes = some.truth.cwiseSqrt();
  for (Index a = 0; a < count; ++a) {
    const double scale = rows.at_largest()[a];
    for (Index v = 0; v < targets; ++v) {
      const double truth = some.truth[v], gap = some.gap[v] - scale * static_cast<double>(means(a, v));
      const double covariance = scale * covariances(a, v);
      const double variation = variations.squares(a, v);
      const double sse = std::max(0.0, truth - 2 * covariance + variation) + n * gap * gap;
      const double size = sizes[v] * std::sqrt(variation);
      const double r = size > 0 ? std::clamp(covariance / size, -1.0, 1.0) : 0.0;
      if (!is_resolved(variation, variations.rounding(a, v), r, truth, tolerance)) return {};
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
    if (fits_single(some.truth)) {
      if (auto result = score(rows, some, rows.variation(some.fit), of_single)) return *result;
    }
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
