#include <algorithm>
#include <cmath>
#include <type_traits>

#include "alpha_family.hpp"
#include "cinecortex/encoding/ridge_path.hpp"
#include "pair_products.hpp"

namespace cinecortex::encoding {
namespace {

using linalg::gemm;

/// The held-out rows in the axes of the fit, about their own means, each axis in units of its size in the fit:
/// W = Λ^-½ VᵀGV Λ^-½ has entries of order one, and acts on fitted values, so that it may be single precision.
template <class Scalar>
class HeldOutAxes {
 public:
  HeldOutAxes(const RidgePath& path, CentredStatistics test, Index expected_columns)
      : path_(path), test_(std::move(test)), inverse_sizes_(path.values().cwiseSqrt().cwiseInverse()) {
    cross_ = MatrixD::Zero(path.rank(), test_.cross.cols());
    gemm(true, false, 1.0, path.vectors(), test_.cross, 0.0, cross_);
    offset_ = path.vectors().transpose() * (test_.mean_x - path.mean_x());
    // Turning G once pays when many columns are multiplied by it afterwards.
    turned_ = expected_columns > 2 * path.rank();
    if (turned_) turn_gram();
  }

  /// H b [r, columns] for some H with H + Hᵀ = W, which is all that a quadratic form needs: half of the products.
  Matrix<Scalar> half_gram_times(const Matrix<Scalar>& b) const {
    if (!turned_) return half_gram_times_few(b);
    Matrix<Scalar> result = Matrix<Scalar>::Zero(b.rows(), b.cols());
    for_each_block([&](Range rows, Index rest) {
      gemm(false, false, Scalar{1}, half_gram_.block(rows.begin, rows.begin, rows.size(), rest),
           b.bottomRows(rest), Scalar{0}, result.middleRows(rows.begin, rows.size()));
    });
    return result;
  }

  /// About the largest eigenvalue of W.   @pre it was turned
  double norm() const {
    Eigen::Matrix<Scalar, Eigen::Dynamic, 1> v = Eigen::Matrix<Scalar, Eigen::Dynamic, 1>::Ones(path_.rank());
    double size = 0;
    for (int step = 0; step < 5; ++step) {
      v /= v.norm();
      v = half_gram_ * v + half_gram_.transpose() * v;
      size = static_cast<double>(v.norm());
    }
    return size;
  }

  const CentredStatistics& test() const { return test_; }
  const MatrixD& cross() const { return cross_; }  ///< VᵀC [r, t]
  /// Vᵀ(mean of the held-out rows - mean of the fit's) [r]
  const VectorD& offset() const { return offset_; }
  bool turned() const { return turned_; }

 private:
  Matrix<Scalar> half_gram_times_few(const Matrix<Scalar>& b) const {
    const MatrixD scaled = inverse_sizes_.asDiagonal() * b.template cast<double>();
    MatrixD weights = MatrixD::Zero(path_.vectors().rows(), b.cols());
    gemm(false, false, 0.5, path_.vectors(), scaled, 0.0, weights);
    MatrixD result = MatrixD::Zero(b.rows(), b.cols());
    gemm(true, false, 1.0, path_.vectors(), times_gram(weights), 0.0, result);
    return (inverse_sizes_.asDiagonal() * result).template cast<Scalar>();
  }
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

  /// W from the diagonal blocks on, which count half.
  void turn_gram() {
    const MatrixD& v = path_.vectors();
    const MatrixD gv = times_gram(v);
    half_gram_ = Matrix<Scalar>::Zero(v.cols(), v.cols());
    for_each_block([&](Range rows, Index rest) {
      MatrixD part = MatrixD::Zero(rows.size(), rest);
      gemm(true, false, 1.0, v.middleCols(rows.begin, rows.size()), gv.rightCols(rest), 0.0, part);
      part = inverse_sizes_.segment(rows.begin, rows.size()).asDiagonal() * part *
             inverse_sizes_.tail(rest).asDiagonal();
      part.leftCols(rows.size()) *= 0.5;
      half_gram_.block(rows.begin, rows.begin, rows.size(), rest) = part.template cast<Scalar>();
    });
  }

  const RidgePath& path_;
  CentredStatistics test_;
  VectorD inverse_sizes_;  ///< Λ^-½
  MatrixD cross_;
  Matrix<Scalar> half_gram_;
  VectorD offset_;
  bool turned_ = false;
};

/// Sums of squares of every alpha's fitted values on the rows of the fit, if its inverse were `inverses` [r, A].
MatrixD fitted_squares(const MatrixD& inverses, const VectorD& values, const MatrixD& squared) {
  MatrixD sums = MatrixD::Zero(inverses.cols(), squared.cols());
  gemm(true, false, 1.0, MatrixD(values.asDiagonal() * inverses.cwiseAbs2()), squared, 0.0, sums);
  return sums;
}

MatrixD fitted_squares(const RidgePath& path, const std::vector<double>& alphas, const MatrixD& squared) {
  MatrixD inverses(path.rank(), static_cast<Index>(alphas.size()));
  for (Index a = 0; a < inverses.cols(); ++a) {
    inverses.col(a) = (path.values().array() + alphas[static_cast<std::size_t>(a)]).inverse();
  }
  return fitted_squares(inverses, path.values(), squared);
}

/// As few terms as give every alpha's fitted values to `tolerance`: the largest relative error over alphas and targets.
/// @param whole  fitted_squares [A, t]
Index sufficient_terms(const AlphaFamily& family, const RidgePath& path, const MatrixD& whole,
                       const MatrixD& squared, double tolerance, double& error) {
  for (Index terms = std::min<Index>(4, family.most_terms());; ++terms) {
    const MatrixD wrong = fitted_squares(family.rest(terms), path.values(), squared);
    double largest = 0;
    for (Index i = 0; i < wrong.size(); ++i) {
      if (whole.data()[i] > 0) largest = std::max(largest, wrong.data()[i] / whole.data()[i]);
    }
    error = std::sqrt(largest);
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

constexpr Index tile = 64;  ///< targets multiplied together

template <class Scalar>
Terms predict_terms(const HeldOutAxes<Scalar>& axes, const MatrixD& factors, const RidgePath& path) {
  const MatrixD& projection = path.projection();
  const Index count = factors.cols(), targets = projection.cols(), rank = factors.rows();
  Terms terms{MatrixD::Zero(count, targets), MatrixD::Zero(count, targets), {}};
  gemm(true, false, 1.0, factors, MatrixD(projection.cwiseProduct(axes.cross())), 0.0, terms.covariance);
  gemm(true, false, 1.0, MatrixD(axes.offset().asDiagonal() * factors), projection, 0.0, terms.mean);
  for (Index r = 0; r < count; ++r) terms.products.emplace_back(count, targets);
  const MatrixD sized = path.values().cwiseSqrt().asDiagonal() * factors;
  for (Index begin = 0; begin < targets; begin += tile) {
    const Index some = std::min(tile, targets - begin);
    Matrix<Scalar> fits = Matrix<Scalar>::Zero(rank, count * tile);
    for (Index r = 0; r < count; ++r) {
      fits.middleCols(r * tile, some) =
          (sized.col(r).asDiagonal() * projection.middleCols(begin, some)).template cast<Scalar>();
    }
    MatrixD sums = MatrixD::Zero(count * count, tile);
    add_pair_products(fits, axes.half_gram_times(fits), count, sums);
    for (Index r = 0; r < count; ++r) {
      for (Index q = 0; q <= r; ++q) {
        terms.products[static_cast<std::size_t>(r)].row(q).segment(begin, some) =
            (sums.row(q * count + r) + sums.row(r * count + q)).head(some);
      }
    }
  }
  return terms;
}

template <class Scalar>
HeldOut score_held_out(const RidgePath& path, const Statistics& test, const std::vector<double>& alphas) {
  // Of every alpha's fitted values; that of r and R² is about twice as large.
  constexpr double tolerance = std::is_same_v<Scalar, float> ? 1e-7 : 1e-9;
  const auto count = static_cast<Index>(alphas.size());
  const Index targets = path.projection().cols();
  const MatrixD squared = path.projection().cwiseAbs2();
  const VectorD power = path.values().cwiseProduct(squared.rowwise().sum());
  const AlphaFamily family(path.values(), alphas, power.cwiseSqrt(), column_weights(path, alphas, power));

  HeldOut result{MatrixD::Zero(count, targets), MatrixD::Zero(count, targets), MatrixD::Zero(count, targets)};
  const MatrixD fitted = fitted_squares(path, alphas, squared);
  result.products = sufficient_terms(family, path, fitted, squared, tolerance, result.error);
  const HeldOutAxes<Scalar> axes(path, centre(test), result.products * targets);
  if constexpr (std::is_same_v<Scalar, float>) {
    if (!axes.turned()) return score_held_out<double>(path, test, alphas);  // which then costs little
  }
  const Terms terms = predict_terms(axes, family.factors(result.products), path);
  const MatrixD coefficients = family.coefficients(result.products);

  // Float32 sums lose digits where the fits hardly vary on the held-out rows, beside what those could make of them.
  constexpr double least_share = 0.04;
  const double norm = std::is_same_v<Scalar, float> ? axes.norm() : 0.0;

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
    if constexpr (std::is_same_v<Scalar, float>) {
      if ((variation.transpose().array() < least_share * norm * fitted.row(a).array()).any()) {
        return score_held_out<double>(path, test, alphas);
      }
    }
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

}  // namespace

HeldOut held_out(const RidgePath& path, const Statistics& test, const std::vector<double>& alphas,
                 Products products) {
  return products == Products::single ? score_held_out<float>(path, test, alphas)
                                      : score_held_out<double>(path, test, alphas);
}

}  // namespace cinecortex::encoding
