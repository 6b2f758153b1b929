#include "cinecortex/encoding/held_out.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <mutex>
#include <optional>

#include "columns.hpp"
#include "held_out_rows.hpp"
#include "target_tiles.hpp"

namespace cinecortex::encoding {
namespace {

using linalg::product;

/// Some targets in the axes of the fit.
struct Projected {
  MatrixD fit;        ///< ĉ = VᵀC̃ [r, t] of the rows of the fit
  MatrixD fitted_to;  ///< Λ^-½ĉ
  MatrixD held_out;   ///< VᵀC̃ of the held-out rows
  VectorD gap;        ///< [t] mean of the held-out responses, less that of the fit's
  VectorD truth;      ///< [t] ‖ỹ‖² of the held-out responses
};

/// A target that is constant has no variation: not what rounding leaves of its squares [t] about the shift.
void forget_rounding(CentredStatistics& statistics, const VectorD& squares) {
  const double rounding = static_cast<double>(statistics.rows) * std::numeric_limits<double>::epsilon();
  VectorD& centred = statistics.squares_y;
  centred = (centred.array() > rounding * squares.array()).select(centred, 0.0);
}

template <class Scalar>
Projected project(const HeldOutRows& rows, const CentredStatistics& train, const CentredStatistics& test) {
  Projected some{rows.projected<Scalar>(train.cross),
                 {},
                 rows.projected<Scalar>(test.cross),
                 test.mean_y - train.mean_y,
                 test.squares_y};
  some.fitted_to = rows.axes().values().cwiseSqrt().cwiseInverse().asDiagonal() * some.fit;
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
std::optional<HeldOut> score(const HeldOutRows& rows, const Projected& some, const Variation& variations,
                             double tolerance) {
  const MatrixD& inverses = rows.inverses();
  const Index count = inverses.cols(), targets = some.fit.cols();
  const MatrixD covariances = product(true, false, inverses, some.fit.cwiseProduct(some.held_out));
  const MatrixD means = product(true, false, MatrixD(rows.offset().asDiagonal() * inverses), some.fit);
  HeldOut result{MatrixD(count, targets), MatrixD(count, targets), 0};
  const auto n = static_cast<double>(rows.test().rows);
  for (Index a = 0; a < count; ++a) {
    for (Index v = 0; v < targets; ++v) {
      const double truth = some.truth[v], gap = some.gap[v] - means(a, v);
      const double covariance = covariances(a, v), variation = variations.squares(a, v);
      const double sse = std::max(0.0, truth - 2 * covariance + variation) + n * gap * gap;
      const double size = std::sqrt(truth) * std::sqrt(variation);
      const double r = size > 0 ? std::clamp(covariance / size, -1.0, 1.0) : 0.0;
      if (!is_resolved(variation, variations.rounding(a, v), r, truth, tolerance)) return {};
      result.r(a, v) = r;
      result.r2(a, v) = truth > 0 ? 1.0 - sse / truth : (sse > 0 ? 0.0 : 1.0);
    }
  }
  return result;
}

/// With as little precision as leaves the scores' digits.
HeldOut score(const HeldOutRows& rows, const CentredStatistics& train, const CentredStatistics& test) {
  constexpr double of_single = 1e-6, of_double = 1e-9;
  if (rows.single()) {
    const auto some = project<float>(rows, train, test);
    if (auto result = score(rows, some, rows.variation<float>(some.fitted_to), of_single)) return *result;
  }
  const auto some = project<double>(rows, train, test);
  if (auto result = score(rows, some, rows.variation<double>(some.fitted_to), of_double)) return *result;
  return *score(rows, some, rows.variation_by_alpha(some.fitted_to), of_double);
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
  const HeldOutRows rows(axes, test, alphas, targets, products);
  HeldOut all{MatrixD(count, targets), MatrixD(count, targets), rows.products()};
  std::mutex one_at_a_time;
  for_each_tile(targets, [&](Range some) {
    const CentredStatistics fitted = train(some);
    CentredStatistics left_out = centre(test.of_targets(some));
    forget_rounding(left_out, test.squares_y.segment(some.begin, some.size()));
    const HeldOut result = score(rows, fitted, left_out);
    const std::lock_guard lock(one_at_a_time);
    all.r.middleCols(some.begin, some.size()) = result.r;
    all.r2.middleCols(some.begin, some.size()) = result.r2;
  });
  return all;
}

}  // namespace cinecortex::encoding
