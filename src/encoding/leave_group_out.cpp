#include "leave_group_out.hpp"

#include <Eigen/LU>
#include <algorithm>
#include <limits>

#include "cinecortex/linalg/cholesky.hpp"
#include "cinecortex/linalg/dense.hpp"
#include "pair_products.hpp"

namespace cinecortex::encoding {
namespace {

constexpr Index tile = 256;  ///< targets at a time

/// I - 11ᵀ/n - U diag(shrunk) Uᵀ, lower triangle: at shrunk = 1 it is D₀, what no fit reaches.
template <class Scalar>
Matrix<Scalar> left_system(const Matrix<Scalar>& u, const VectorD& shrunk, Index rows_global) {
  const Index rows = u.rows();
  const Matrix<Scalar> scaled = u * shrunk.template cast<Scalar>().asDiagonal();
  Matrix<Scalar> system =
      Matrix<Scalar>::Constant(rows, rows, static_cast<Scalar>(-1.0 / static_cast<double>(rows_global)));
  system.diagonal().array() += Scalar{1};
  const Index step = std::max<Index>(64, (rows + 3) / 4);
  for (Index begin = 0; begin < rows; begin += step) {
    const Index count = std::min(step, rows - begin), width = begin + count;
    linalg::gemm(false, true, Scalar{-1}, scaled.middleRows(begin, count), u.topRows(width), Scalar{1},
                 system.block(begin, 0, count, width));
  }
  return system;
}

/// The residuals of a left-out group at the nodes, and of the mean alone, for a tile of targets.
template <class Scalar>
class NodeResiduals {
 public:
  NodeResiduals(const Matrix<Scalar>& u, std::vector<VectorD> shrunk, std::vector<Matrix<Scalar>> factors,
                Index rows_global)
      : u_(u), shrunk_(std::move(shrunk)), factors_(std::move(factors)), rows_global_(rows_global) {}

  Index terms() const { return std::ssize(shrunk_) + 1; }

  /// [rows, terms · tile] from the targets' projections [r, count] and rows of y [rows, count].
  const Matrix<Scalar>& of(const MatrixD& projection, const Matrix<Scalar>& y) {
    const Index nodes = terms() - 1, count = y.cols(), rows = u_.rows();
    Matrix<Scalar> scaled = Matrix<Scalar>::Zero(u_.cols(), nodes * tile);
    residuals_ = Matrix<Scalar>::Zero(rows, terms() * tile);
    for (Index q = 0; q < nodes; ++q) {
      const VectorD& shrunk = shrunk_[static_cast<std::size_t>(q)];
      scaled.middleCols(q * tile, count) = (shrunk.asDiagonal() * projection).template cast<Scalar>();
      residuals_.middleCols(q * tile, count) = y;
    }
    linalg::gemm(false, false, Scalar{-1}, u_, scaled, Scalar{1}, residuals_.leftCols(nodes * tile));
    for (Index q = 0; q < nodes; ++q) {
      linalg::cholesky_solve(factors_[static_cast<std::size_t>(q)], residuals_.middleCols(q * tile, count));
    }
    const auto others = static_cast<Scalar>(rows_global_ - rows);
    const Matrix<Scalar> sums = y.colwise().sum() / others;
    residuals_.middleCols(nodes * tile, count) = y.rowwise() + sums.row(0);
    return residuals_;
  }

 private:
  const Matrix<Scalar>& u_;
  std::vector<VectorD> shrunk_;  ///< λ/(λ+α) [r] at each node
  std::vector<Matrix<Scalar>> factors_;
  Index rows_global_;
  Matrix<Scalar> residuals_;
};

/// The nodes' coefficients, and below them that of the residuals of the mean alone, which is what the others lack to one.
MatrixD with_the_mean(const MatrixD& coefficients) {
  MatrixD all(coefficients.rows() + 1, coefficients.cols());
  all.topRows(coefficients.rows()) = coefficients;
  all.bottomRows(1) = (1.0 - coefficients.colwise().sum().array()).matrix();
  return all;
}

}  // namespace

LeaveOneGroupOut::LeaveOneGroupOut(const VectorD& values, const MatrixD& projection,
                                   const std::vector<double>& alphas, Index rows_global)
    : values_(values),
      projection_(projection),
      alphas_(alphas),
      rows_global_(rows_global),
      sums_(MatrixD::Zero(static_cast<Index>(alphas.size()), projection.cols())) {}

void LeaveOneGroupOut::add(const MatrixD& u, const MatrixD& y) {
  for (const double gap : {0.05, 1e-3}) {
    if (add_by_nodes<double>(u, y, gap, 1e-12)) return;
  }
  add_by_alphas(u, y);
}

bool LeaveOneGroupOut::add_single(const MatrixF& u, const MatrixF& y) {
  return add_by_nodes<float>(u, y, 0.05, 1e-9);
}

/// Without the group, the design's Gram matrix is Λ^½ (I - Uᵀ(I + 11ᵀ/(n - n_B))U) Λ^½, so its eigenvalues are in
/// [gap · λ_min, λ_max] if no eigenvalue of D₀ is below gap: its fits, and the residuals, are combinations of those at
/// nodes for that range.
template <class Scalar>
bool LeaveOneGroupOut::add_by_nodes(const Matrix<Scalar>& u, const Matrix<Scalar>& y, double gap,
                                    double tolerance) {
  if (values_.size() == 0) return false;
  Matrix<Scalar> unreached = left_system<Scalar>(u, VectorD::Ones(values_.size()), rows_global_);
  unreached.diagonal().array() -= static_cast<Scalar>(gap);
  if (!linalg::cholesky(unreached)) return false;

  const AlphaNodes nodes(alphas_, gap * values_.minCoeff(), values_.maxCoeff(), tolerance);
  std::vector<VectorD> shrunk;
  std::vector<Matrix<Scalar>> factors;
  for (const Index node : nodes.nodes) {
    shrunk.emplace_back(values_.array() / (values_.array() + alphas_[static_cast<std::size_t>(node)]));
    factors.push_back(left_system<Scalar>(u, shrunk.back(), rows_global_));
    if (!linalg::cholesky(factors.back())) return false;
  }
  NodeResiduals<Scalar> residuals(u, std::move(shrunk), std::move(factors), rows_global_);
  const MatrixD coefficients = with_the_mean(nodes.coefficients);
  const Index terms = residuals.terms();
  for (Index begin = 0; begin < y.cols(); begin += tile) {
    const Index count = std::min(tile, y.cols() - begin);
    const auto& of_tile = residuals.of(projection_.middleCols(begin, count), y.middleCols(begin, count));
    MatrixD products = MatrixD::Zero(terms * terms, tile);
    add_pair_products(of_tile, of_tile, products);
    for (Index a = 0; a < coefficients.cols(); ++a) {
      const MatrixD pairs = coefficients.col(a) * coefficients.col(a).transpose();
      sums_.row(a).segment(begin, count) +=
          (pairs.reshaped<Eigen::RowMajor>().transpose() * products.leftCols(count)).cwiseMax(0.0);
    }
  }
  return true;
}

/// In the axes of the group's out-of-reach matrix D₀ = I - 11ᵀ/n - UUᵀ, the system (D₀ + U g Uᵀ) x = e₀ + U
/// (g ∘ ŷ) has rows with D₀ > 0 and rows with D₀ = 0 (the group carries a direction alone). The latter are
/// divided by the factor of g, which leaves the solution as it is and keeps it finite for alpha = 0.
void LeaveOneGroupOut::add_by_alphas(const MatrixD& u, const MatrixD& y) {
  const Index rows = u.rows();
  MatrixD unreached = MatrixD::Identity(rows, rows);
  unreached.array() -= 1.0 / static_cast<double>(rows_global_);
  linalg::gemm(false, true, -1.0, u, u, 1.0, unreached);
  const auto axes = linalg::eigh(unreached);
  const double zero = reaches_all(u.cols(), rows_global_) ? std::numeric_limits<double>::infinity()
                                                          : zero_leverage_gap(rows_global_, u.cols());
  const MatrixD turned = linalg::product(true, false, axes.vectors, u);
  MatrixD rest = linalg::product(true, false, axes.vectors, y);
  linalg::gemm(false, false, -1.0, turned, projection_, 1.0, rest);  // e₀: what no alpha can explain

  for (std::size_t a = 0; a < alphas_.size(); ++a) {
    const auto& [shape, factor] = Shrinkage(values_, alphas_[a]);
    const MatrixD half = turned * shape.asDiagonal();
    MatrixD system = linalg::product(false, true, half, turned);
    MatrixD residual = linalg::product(false, false, half, projection_);
    for (Index row = 0; row < rows; ++row) {
      if (axes.values[row] <= zero) continue;
      system.row(row) *= factor;
      system(row, row) += axes.values[row];
      residual.row(row) = rest.row(row) + factor * residual.row(row);
    }
    const MatrixD left_out = system.partialPivLu().solve(residual);
    sums_.row(static_cast<Index>(a)) += left_out.colwise().squaredNorm();
  }
}

}  // namespace cinecortex::encoding
