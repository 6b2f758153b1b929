#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "cinecortex/core/error.hpp"
#include "cinecortex/linalg/dense.hpp"
#include "fortran.hpp"

namespace cinecortex::linalg {
namespace {

struct Rotation {
  double cosine, sine;
};

/// The rotation of rows and columns p and q that makes h_pq zero.
Rotation annihilate(double h_pp, double h_qq, double h_pq) {
  const double theta = 0.5 * (h_qq - h_pp) / h_pq;
  const double tangent = (theta >= 0 ? 1.0 : -1.0) / (std::abs(theta) + std::hypot(theta, 1.0));
  const double cosine = 1.0 / std::hypot(tangent, 1.0);
  return {cosine, tangent * cosine};
}

void rotate_rows(MatrixD& matrix, Index p, Index q, Rotation by) {
  double* const a = matrix.row(p).data();
  double* const b = matrix.row(q).data();
  for (Index i = 0; i < matrix.cols(); ++i) {
    const double a_i = a[i], b_i = b[i];
    a[i] = by.cosine * a_i - by.sine * b_i;
    b[i] = by.sine * a_i + by.cosine * b_i;
  }
}

void rotate_columns(MatrixD& matrix, Index p, Index q, Rotation by) {
  for (Index i = 0; i < matrix.rows(); ++i) {
    const double a_i = matrix(i, p), b_i = matrix(i, q);
    matrix(i, p) = by.cosine * a_i - by.sine * b_i;
    matrix(i, q) = by.sine * a_i + by.cosine * b_i;
  }
}

/// Whether turning p and q into each other would change anything by more than the rounding that made them.
class NeedsRotation {
 public:
  explicit NeedsRotation(const MatrixD& h)
      : zero_(h.diagonal().maxCoeff() *
              std::pow(static_cast<double>(h.rows()) * std::numeric_limits<double>::epsilon(), 2)) {}

  bool operator()(double h_pp, double h_qq, double h_pq) const {
    if (h_pp <= zero_ || h_qq <= zero_) return false;  // directions without variance: any will do
    const double size = std::abs(h_pq), gap = std::abs(h_pp - h_qq);
    if (size <= rounding * std::sqrt(h_pp * h_qq)) return false;
    const bool turns_vectors = size > negligible * gap;
    const bool changes_values = size * size > negligible * gap * std::min(h_pp, h_qq);
    return turns_vectors || changes_values;
  }

 private:
  static constexpr double negligible = 1e-11;
  static constexpr double rounding = 1e-13;
  double zero_;
};

}  // namespace

EigenPairs polish_eigenpairs(MatrixD nearly_diagonal) {
  constexpr int most_sweeps = 30;
  MatrixD& h = nearly_diagonal;
  const Index n = h.rows();
  EigenPairs pairs{VectorD(n), MatrixD::Identity(n, n)};
  if (n == 0) return pairs;
  const NeedsRotation needs_rotation(h);
  MatrixD rows = MatrixD::Identity(n, n);  // the vectors, one a row, so that a rotation runs through memory
  bool rotated = true;
  for (int sweep = 0; rotated; ++sweep) {
    if (sweep == most_sweeps) {
      throw NumericalError(fmt::format("Jacobi rotations of a {0} × {0} matrix did not converge", n));
    }
    rotated = false;
    for (Index p = 0; p < n; ++p) {
      for (Index q = p + 1; q < n; ++q) {
        if (!needs_rotation(h(p, p), h(q, q), h(p, q))) continue;
        const Rotation by = annihilate(h(p, p), h(q, q), h(p, q));
        rotate_rows(h, p, q, by);
        rotate_columns(h, p, q, by);
        rotate_rows(rows, p, q, by);
        rotated = true;
      }
    }
  }
  pairs.values = h.diagonal();
  pairs.vectors = rows.transpose();
  return pairs;
}

void orthonormalise_rows(ViewD rows) {
  if (rows.rows() > rows.cols()) {
    throw Error(
        fmt::format("internal: {} rows of {} columns cannot be orthonormal", rows.rows(), rows.cols()));
  }
  if (rows.rows() == 0) return;
  // Rows of a row-major matrix are columns of a column-major one.
  const int m = checked_cast<int>(rows.cols());
  const int n = checked_cast<int>(rows.rows());
  const int lda = checked_cast<int>(std::max(rows.outerStride(), rows.cols()));
  const int lwork = checked_cast<int>(rows.rows() * 64);
  std::vector<double> tau(static_cast<std::size_t>(n)), work(static_cast<std::size_t>(lwork));
  int info = 0;
  dgeqrf_(&m, &n, rows.data(), &lda, tau.data(), work.data(), &lwork, &info);
  if (info == 0) dorgqr_(&m, &n, &n, rows.data(), &lda, tau.data(), work.data(), &lwork, &info);
  if (info != 0) throw Error(fmt::format("internal: QR of a [{}, {}] matrix returned {}", n, m, info));
}

}  // namespace cinecortex::linalg
