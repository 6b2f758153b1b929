#include "path_form.hpp"

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "cinecortex/linalg/counter_random.hpp"
#include "cinecortex/linalg/dense.hpp"

namespace cinecortex::encoding {
namespace {

using linalg::gemm;
using linalg::product;

constexpr Index rows_of_a_band = 32;
constexpr Index terms_of_a_sum = 128;  // in the products' precision

/// Eigenvalues that differ by less, relative to the larger, are neighbours: their expansion is off by a sixth of its fourth
/// power, the others' rounding grows with its inverse.
template <class Scalar>
constexpr double closeness = std::is_same_v<Scalar, float> ? 1.0 / 32 : 1.0 / 256;

/// So many columns that OpenBLAS does not multiply them by its kernel for small matrices (up to 10⁶ operations), which rounds less
/// than the one that a tile of targets is multiplied by.
Index probes_with_padding(Index rank, Index probes) {
  constexpr Index small = 1000000, tile = 256;
  return std::clamp(small / std::max<Index>(1, rank * rank) + 1, probes, tile);
}

/// For each direction the range of its neighbours; both ends grow with the direction.
std::vector<Range> neighbours_of(const VectorD& descending, double closeness) {
  std::vector<Range> all;
  Range some{0, 0};
  for (Index i = 0; i < descending.size(); ++i) {
    const double value = descending[i];
    while (descending[some.begin] - value > closeness * descending[some.begin]) ++some.begin;
    while (some.end < descending.size() && value - descending[some.end] <= closeness * value) ++some.end;
    all.push_back(some);
  }
  return all;
}

}  // namespace

template <class Scalar>
PathForm<Scalar>::PathForm(const VectorD& values, const MatrixD& w, const std::vector<double>& alphas)
    : shrinkages_(values.size(), std::ssize(alphas)), at_largest_(VectorD::Ones(std::ssize(alphas))) {
  const Index rank = values.size();
  far_weights_ = squares_ = cubes_ = Matrix<Scalar>(rank, shrinkages_.cols());
  if (rank == 0) return;
  const double largest = values[0];
  const bool beyond = *std::max_element(alphas.begin(), alphas.end()) > largest;
  for (Index a = 0; a < shrinkages_.cols(); ++a) {
    const double alpha = alphas[static_cast<std::size_t>(a)];
    at_largest_[a] = largest / (largest + alpha);
    const Eigen::ArrayXd s = values.array() / (values.array() + alpha);
    const Eigen::ArrayXd beside_largest = s / at_largest_[a];
    shrinkages_.col(a) = s;
    squares_.col(a) = beside_largest.square().template cast<Scalar>();
    cubes_.col(a) = (beside_largest.square() * s).template cast<Scalar>();
    if (beyond) {
      far_weights_.col(a) = ((1 - values.array() / largest).square() * s).template cast<Scalar>();
    } else {
      far_weights_.col(a) = (s / (at_largest_[a] * at_largest_[a])).template cast<Scalar>();
    }
  }

  const auto neighbours = neighbours_of(values, closeness<Scalar>);
  const bool any_far = neighbours.front().end < rank || neighbours.back().begin > 0;
  if (any_far) far_ = Matrix<Scalar>::Zero(rank, rank);
  if (any_far && beyond) constant_ = Matrix<Scalar>::Zero(rank, rank);
  for (Index begin = 0; begin < rank; begin += rows_of_a_band) {
    const Index end = std::min(rank, begin + rows_of_a_band);
    const Range columns{neighbours[static_cast<std::size_t>(begin)].begin,
                        neighbours[static_cast<std::size_t>(end - 1)].end};
    Band band{{begin, end}, columns, {}, {}};
    band.squares = band.cubes = Matrix<Scalar>::Zero(end - begin, columns.size());
    for (Index i = begin; i < end; ++i) {
      const Range near = neighbours[static_cast<std::size_t>(i)];
      for (Index j = near.begin; j < near.end; ++j) {
        const double ratio = values[j] / values[i];
        const double entry = w(i, j) * ratio;
        band.squares(i - begin, j - columns.begin) = static_cast<Scalar>(entry);
        band.cubes(i - begin, j - columns.begin) = static_cast<Scalar>(entry * (1 - ratio) / 3);
      }
      const auto put_far = [&](Range some) {
        for (Index j = some.begin; j < some.end; ++j) {
          far_(i, j) = static_cast<Scalar>(2 * w(i, j) * values[j] / (values[j] - values[i]));
          if (beyond) {
            constant_(i, j) = static_cast<Scalar>(w(i, j) * (values[i] / largest) * (values[j] / largest));
          }
        }
      };
      put_far({0, near.begin});
      put_far({near.end, rank});
    }
    bands_.push_back(std::move(band));
  }
}

template <class Scalar>
MatrixD PathForm<Scalar>::operator()(const Matrix<Scalar>& a) const {
  MatrixD q = MatrixD::Zero(shrinkages_.cols(), a.cols());
  Matrix<Scalar> z(a.rows(), a.cols()), sum(q.rows(), q.cols());
  const auto add = [&](const Matrix<Scalar>& weights) {
    z.array() *= a.array();
    for (Index begin = 0; begin < z.rows(); begin += terms_of_a_sum) {
      const Index terms = std::min(terms_of_a_sum, z.rows() - begin);
      gemm(true, false, Scalar{1}, weights.middleRows(begin, terms), z.middleRows(begin, terms), Scalar{0},
           sum);
      q += sum.template cast<double>();
    }
  };
  const auto add_bands = [&](Matrix<Scalar> Band::*of, const Matrix<Scalar>& weights) {
    for (const Band& band : bands_) {
      gemm(false, false, Scalar{1}, band.*of, a.middleRows(band.columns.begin, band.columns.size()),
           Scalar{0}, z.middleRows(band.rows.begin, band.rows.size()));
    }
    add(weights);
  };
  add_bands(&Band::squares, squares_);
  add_bands(&Band::cubes, cubes_);
  if (far_.size() > 0) {
    gemm(false, false, Scalar{1}, far_, a, Scalar{0}, z);
    add(far_weights_);
  }
  if (constant_.size() > 0) {
    gemm(false, false, Scalar{1}, constant_, a, Scalar{0}, z);
    const Eigen::RowVectorXd all =
        z.template cast<double>().cwiseProduct(a.template cast<double>()).colwise().sum();
    q.rowwise() += all;
  }
  return at_largest_.cwiseAbs2().asDiagonal() * q;
}

template <class Scalar>
MatrixD PathForm<Scalar>::shrunken_squares(const Matrix<Scalar>& a) const {
  const Matrix<Scalar> sums = product(true, false, squares_, Matrix<Scalar>(a.cwiseAbs2()));
  return at_largest_.cwiseAbs2().asDiagonal() * sums.template cast<double>();
}

template <class Scalar>
double PathForm<Scalar>::products() const noexcept {
  double entries = static_cast<double>(far_.size() + constant_.size());
  for (const Band& band : bands_) entries += static_cast<double>(band.squares.size() + band.cubes.size());
  const auto rank = static_cast<double>(shrinkages_.rows());
  return rank > 0 ? entries / (rank * rank) : 0;
}

template <class Scalar>
VectorD PathForm<Scalar>::rounding(const MatrixD& w) const {
  constexpr Index probes = 8;
  MatrixD a(shrinkages_.rows(), probes);
  for (Index i = 0; i < a.rows(); ++i) {
    for (Index v = 0; v < probes; ++v) a(i, v) = linalg::counter_normal(0, i, v);
  }
  Matrix<Scalar> padded = Matrix<Scalar>::Zero(a.rows(), probes_with_padding(a.rows(), probes));
  padded.leftCols(probes) = a.cast<Scalar>();
  const MatrixD got = (*this)(padded).leftCols(probes);
  VectorD result = VectorD::Zero(got.rows());
  if (a.rows() == 0) return result;
  MatrixD shrunken(a.rows(), probes * got.rows());  // of all alphas, for one product
  for (Index k = 0; k < got.rows(); ++k)
    shrunken.middleCols(k * probes, probes) = shrinkages_.col(k).asDiagonal() * a;
  const MatrixD image = product(false, false, w, shrunken);
  const Eigen::RowVectorXd expected = shrunken.cwiseProduct(image).colwise().sum();
  const Eigen::RowVectorXd sizes = shrunken.colwise().norm();
  for (Index k = 0; k < got.rows(); ++k) {
    const Eigen::RowVectorXd off = got.row(k) - expected.segment(k * probes, probes);
    const Eigen::RowVectorXd size = a.colwise().norm().cwiseProduct(sizes.segment(k * probes, probes));
    result[k] = off.cwiseQuotient(size).norm() / std::sqrt(double{probes});
  }
  return result;
}

template class PathForm<float>;
template class PathForm<double>;

}  // namespace cinecortex::encoding
