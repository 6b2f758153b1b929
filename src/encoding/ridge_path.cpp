#include "cinecortex/encoding/ridge_path.hpp"

#include <algorithm>
#include <cmath>

#include "alpha_family.hpp"
#include "cinecortex/core/error.hpp"
#include "columns.hpp"

namespace cinecortex::encoding {
namespace {

using linalg::gemm;

linalg::EigenPairs decompose_finite(const CentredStatistics& train) {
  if (!train.gram.allFinite() || !train.cross.allFinite()) {
    throw NumericalError(
        "ridge: the sums of squares are not finite; are there values beyond 1e150 in x or y?");
  }
  return linalg::eigh(train.gram);
}

/// The held-out rows in the axes of the fit, about their own means.
class HeldOutAxes {
 public:
  HeldOutAxes(const RidgePath& path, CentredStatistics test, Index expected_products)
      : path_(path), test_(std::move(test)) {
    cross_ = MatrixD::Zero(path.rank(), test_.cross.cols());
    gemm(true, false, 1.0, path.vectors(), test_.cross, 0.0, cross_);
    offset_ = path.vectors().transpose() * (test_.mean_x - path.mean_x());
    // Turning G once pays when many columns are multiplied by it afterwards.
    turned_ = expected_products * test_.cross.cols() > 2 * path.rank();
    if (turned_) turn_gram();
  }

  /// H b [r, columns] for some H with H + Hᵀ = VᵀGV, which is all that a quadratic form needs: half of the products.
  MatrixD half_gram_times(const MatrixD& b) const {
    MatrixD result = MatrixD::Zero(b.rows(), b.cols());
    if (!turned_) {
      MatrixD weights = MatrixD::Zero(path_.vectors().rows(), b.cols());
      gemm(false, false, 0.5, path_.vectors(), b, 0.0, weights);
      gemm(true, false, 1.0, path_.vectors(), times_gram(weights), 0.0, result);
      return result;
    }
    for_each_block([&](Range rows, Index rest) {
      gemm(false, false, 1.0, half_gram_.block(rows.begin, rows.begin, rows.size(), rest), b.bottomRows(rest),
           0.0, result.middleRows(rows.begin, rows.size()));
    });
    return result;
  }

  const CentredStatistics& test() const { return test_; }
  const MatrixD& cross() const { return cross_; }  ///< VᵀC [r, t]
  const VectorD& offset() const {
    return offset_;
  }  ///< Vᵀ(mean of the held-out rows - mean of the fit's) [r]

 private:
  MatrixD times_gram(const MatrixD& b) const {
    MatrixD result = MatrixD::Zero(b.rows(), b.cols());
    gemm(false, false, 1.0, test_.gram, b, 0.0, result);
    return result;
  }
  /// Blocks of rows, with the number of columns from their diagonal on.
  template <class Fn>
  void for_each_block(Fn fn) const {
    const Index rank = path_.rank();
    const Index most = std::max<Index>(64, (rank + 7) / 8);
    for (Index begin = 0; begin < rank; begin += most) {
      fn(Range{begin, std::min(begin + most, rank)}, rank - begin);
    }
  }

  /// VᵀGV from the diagonal blocks on, which count half.
  void turn_gram() {
    const MatrixD& v = path_.vectors();
    const MatrixD gv = times_gram(v);
    half_gram_ = MatrixD::Zero(v.cols(), v.cols());
    for_each_block([&](Range rows, Index rest) {
      gemm(true, false, 1.0, v.middleCols(rows.begin, rows.size()), gv.rightCols(rest), 0.0,
           half_gram_.block(rows.begin, rows.begin, rows.size(), rest));
      half_gram_.block(rows.begin, rows.begin, rows.size(), rows.size()) *= 0.5;
    });
  }

  const RidgePath& path_;
  CentredStatistics test_;
  MatrixD cross_, half_gram_;
  VectorD offset_;
  bool turned_ = false;
};

/// Largest relative error of the family's fitted values on the rows of the fit, over alphas and targets.
double relative_error(const AlphaFamily& family, Index terms, const MatrixD& squared, const VectorD& values,
                      const MatrixD& inverses_squared) {
  const MatrixD rest = family.rest(terms).cwiseAbs2();
  MatrixD wrong = MatrixD::Zero(rest.cols(), squared.cols());
  MatrixD whole = MatrixD::Zero(rest.cols(), squared.cols());
  gemm(true, false, 1.0, MatrixD(values.asDiagonal() * rest), squared, 0.0, wrong);
  gemm(true, false, 1.0, inverses_squared, squared, 0.0, whole);
  double largest = 0;
  for (Index i = 0; i < wrong.size(); ++i) {
    if (whole.data()[i] > 0) largest = std::max(largest, wrong.data()[i] / whole.data()[i]);
  }
  return std::sqrt(largest);
}

/// As few terms as give every alpha's fitted values to `tolerance`.
Index sufficient_terms(const AlphaFamily& family, const RidgePath& path, const std::vector<double>& alphas,
                       const MatrixD& squared, double tolerance, double& error) {
  MatrixD inverses_squared(path.rank(), static_cast<Index>(alphas.size()));
  for (Index a = 0; a < inverses_squared.cols(); ++a) {
    inverses_squared.col(a) =
        path.values().array() / (path.values().array() + alphas[static_cast<std::size_t>(a)]).square();
  }
  Index terms = std::min<Index>(4, family.most_terms());
  for (;; ++terms) {
    error = relative_error(family, terms, squared, path.values(), inverses_squared);
    if (error <= tolerance || terms == family.most_terms()) return terms;
  }
}

VectorD column_weights(const RidgePath& path, const std::vector<double>& alphas, const VectorD& power) {
  VectorD weights(static_cast<Index>(alphas.size()));
  for (Index a = 0; a < weights.size(); ++a) {
    const auto inverse = (path.values().array() + alphas[static_cast<std::size_t>(a)]).inverse();
    const double size = std::sqrt((power.array() * inverse.square()).sum());
    weights[a] = size > 0 ? 1.0 / size : 1.0;
  }
  return weights;
}

/// What every alpha's prediction is a combination of: the family's terms, on the held-out rows.
struct Terms {
  MatrixD covariance;             ///< [R, t] Σ ŷ_r y about the means
  MatrixD mean;                   ///< [R, t] mean of ŷ_r, less that of the fit
  std::vector<MatrixD> products;  ///< R of [R, t]: Σ ŷ_q ŷ_r about the means
};

/// Adds u_q ∘ w_s over the rows to sums.row(q · terms + s), for the terms' matrices side by side in u and w.
void add_products(const MatrixD& u, const MatrixD& w, Index terms, MatrixD& sums) {
  const Index targets = sums.cols();
  for (Index j = 0; j < u.rows(); ++j) {
    for (Index q = 0; q < terms; ++q) {
      const auto left = u.row(j).segment(q * targets, targets).array();
      for (Index s = 0; s < terms; ++s) {
        sums.row(q * terms + s).array() += left * w.row(j).segment(s * targets, targets).array();
      }
    }
  }
}

Terms predict_terms(const HeldOutAxes& axes, const MatrixD& factors, const MatrixD& projection) {
  const Index count = factors.cols(), targets = projection.cols(), rank = factors.rows();
  Terms terms{MatrixD::Zero(count, targets), MatrixD::Zero(count, targets), {}};
  gemm(true, false, 1.0, factors, MatrixD(projection.cwiseProduct(axes.cross())), 0.0, terms.covariance);
  gemm(true, false, 1.0, MatrixD(axes.offset().asDiagonal() * factors), projection, 0.0, terms.mean);
  for (Index r = 0; r < count; ++r) terms.products.emplace_back(count, targets);
  constexpr Index tile = 64;  // targets whose sums stay in the cache
  for (Index begin = 0; begin < targets; begin += tile) {
    const Index some = std::min(tile, targets - begin);
    MatrixD fits(rank, count * some);
    for (Index r = 0; r < count; ++r) {
      fits.middleCols(r * some, some) = factors.col(r).asDiagonal() * projection.middleCols(begin, some);
    }
    MatrixD sums = MatrixD::Zero(count * count, some);
    add_products(fits, axes.half_gram_times(fits), count, sums);
    for (Index r = 0; r < count; ++r) {
      for (Index q = 0; q <= r; ++q) {
        terms.products[static_cast<std::size_t>(r)].row(q).segment(begin, some) =
            sums.row(q * count + r) + sums.row(r * count + q);
      }
    }
  }
  return terms;
}

}  // namespace

RidgePath::RidgePath(const CentredStatistics& train) : RidgePath(train, decompose_finite(train)) {}

RidgePath::RidgePath(const CentredStatistics& train, const linalg::EigenPairs& pairs)
    : rows_(train.rows), mean_x_(train.mean_x), mean_y_(train.mean_y), squares_y_(train.squares_y) {
  const Index rank = numerical_rank(pairs.values, train.rows, train.mean_x.size());
  values_ = pairs.values.tail(rank);
  vectors_ = pairs.vectors.rightCols(rank);
  projection_ = MatrixD::Zero(rank, train.cross.cols());
  gemm(true, false, 1.0, vectors_, train.cross, 0.0, projection_);
}

MatrixD RidgePath::weights(const VectorD& alpha) const {
  MatrixD shrunk = projection_;
  for (Index j = 0; j < rank(); ++j) {
    shrunk.row(j).array() /= values_[j] + alpha.transpose().array();
  }
  MatrixD result = MatrixD::Zero(vectors_.rows(), shrunk.cols());
  gemm(false, false, 1.0, vectors_, shrunk, 0.0, result);
  return result;
}

VectorD RidgePath::intercept(const MatrixD& weights) const {
  return mean_y_ - weights.transpose() * mean_x_;
}

HeldOut held_out(const RidgePath& path, const Statistics& test, const std::vector<double>& alphas) {
  constexpr double tolerance = 1e-9;
  const auto count = static_cast<Index>(alphas.size());
  const Index targets = path.projection().cols();
  const MatrixD squared = path.projection().cwiseAbs2();
  const VectorD power = path.values().cwiseProduct(squared.rowwise().sum());
  const AlphaFamily family(path.values(), alphas, power.cwiseSqrt(), column_weights(path, alphas, power));

  HeldOut result{MatrixD::Zero(count, targets), MatrixD::Zero(count, targets), MatrixD::Zero(count, targets)};
  result.products = sufficient_terms(family, path, alphas, squared, tolerance, result.error);
  const HeldOutAxes axes(path, centre(test), result.products);
  const Terms terms = predict_terms(axes, family.factors(result.products), path.projection());
  const MatrixD coefficients = family.coefficients(result.products);

  const auto n = static_cast<double>(test.rows);
  const CentredStatistics& about = axes.test();
  for (Index a = 0; a < count; ++a) {
    VectorD variation = VectorD::Zero(targets);
    for (Index r = 0; r < result.products; ++r) {
      const MatrixD& with = terms.products[static_cast<std::size_t>(r)];
      for (Index q = 0; q <= r; ++q) {
        const double twice = q < r ? 2.0 : 1.0;
        variation += twice * coefficients(q, a) * coefficients(r, a) * with.row(q).transpose();
      }
    }
    variation = variation.cwiseMax(0.0);
    const VectorD covariance = terms.covariance.transpose() * coefficients.col(a);
    const VectorD gap = about.mean_y - path.mean_y() - terms.mean.transpose() * coefficients.col(a);
    for (Index v = 0; v < targets; ++v) {
      const double truth = about.squares_y[v];
      const double sse = std::max(0.0, truth - 2 * covariance[v] + variation[v]) + n * gap[v] * gap[v];
      const double size = std::sqrt(truth) * std::sqrt(variation[v]);
      result.r(a, v) = size > 0 ? std::clamp(covariance[v] / size, -1.0, 1.0) : 0.0;
      result.r2(a, v) = truth > 0 ? 1.0 - sse / truth : (sse > 0 ? 0.0 : 1.0);
      result.mse(a, v) = sse / n;
    }
  }
  return result;
}

}  // namespace cinecortex::encoding
