#include "leave_group_out.hpp"

#include <Eigen/LU>
#include <algorithm>
#include <limits>

#include "cinecortex/linalg/cholesky.hpp"
#include "cinecortex/linalg/dense.hpp"
#include "cinecortex/parallel/threads.hpp"
#include "residual_squares.hpp"

namespace cinecortex::encoding {
namespace {

constexpr Index strip = targets_of_a_strip;
constexpr Index tile = 8 * strip;  ///< targets at a time

/// I - 11ᵀ/n - U diag(shrunk) Uᵀ, lower triangle: at shrunk = 1 it is D₀, what no fit reaches.
template <class Scalar>
Matrix<Scalar> left_system(const Matrix<Scalar>& u, const VectorD& shrunk, Index rows_global) {
  const Index rows = u.rows();
  const Matrix<Scalar> scaled = u * shrunk.template cast<Scalar>().asDiagonal();
  Matrix<Scalar> system =
      Matrix<Scalar>::Constant(rows, rows, static_cast<Scalar>(-1.0 / static_cast<double>(rows_global)));
  system.diagonal().array() += Scalar{1};
  linalg::gemm_lower(false, true, Scalar{-1}, scaled, u, Scalar{1}, system);
  return system;
}

/// The residuals of a left-out group, for a tile of targets: those of the mean of the others alone, and what each node's fit
/// takes off them.
template <class Scalar>
struct TileResiduals {
  Matrix<Scalar> of_mean;     ///< [rows, tile], zero beyond the targets
  Matrix<Scalar> reductions;  ///< [rows, nodes · tile]
};

/// @param shrunk, factors  at each node: λ/(λ+α) [r], and the factor of left_system
/// @param projection  [r, count] of the targets    @param y  [rows, count]
template <class Scalar>
TileResiduals<Scalar> residuals_at_nodes(const Matrix<Scalar>& u, const std::vector<VectorD>& shrunk,
                                         const std::vector<Matrix<Scalar>>& factors, Index rows_global,
                                         const MatrixD& projection, const Matrix<Scalar>& y) {
  const Index nodes = std::ssize(shrunk), count = y.cols(), rows = u.rows();
  Matrix<Scalar> scaled = Matrix<Scalar>::Zero(u.cols(), nodes * tile);
  TileResiduals<Scalar> all{Matrix<Scalar>::Zero(rows, tile), Matrix<Scalar>::Zero(rows, nodes * tile)};
  for (Index q = 0; q < nodes; ++q) {
    const VectorD& at_node = shrunk[static_cast<std::size_t>(q)];
    scaled.middleCols(q * tile, count) = (at_node.asDiagonal() * projection).template cast<Scalar>();
    all.reductions.middleCols(q * tile, count) = y;
  }
  linalg::gemm(false, false, Scalar{-1}, u, scaled, Scalar{1}, all.reductions);
  const Matrix<Scalar> mean_of_others = y.colwise().sum() / static_cast<Scalar>(rows_global - rows);
  all.of_mean.leftCols(count) = y.rowwise() + mean_of_others.row(0);
  for (Index q = 0; q < nodes; ++q) {
    auto of_node = all.reductions.middleCols(q * tile, count);
    linalg::cholesky_solve(factors[static_cast<std::size_t>(q)], of_node);
    of_node = all.of_mean.leftCols(count) - of_node;
  }
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
  const Matrix<Scalar> coefficients = nodes.coefficients.transpose().template cast<Scalar>();
  const Matrix<Scalar> weights = Matrix<Scalar>::Ones(u.rows(), coefficients.rows());
  for (Index begin = 0; begin < y.cols(); begin += tile) {
    const Index count = std::min(tile, y.cols() - begin);
    const auto residuals = residuals_at_nodes<Scalar>(
        u, shrunk, factors, rows_global_, projection_.middleCols(begin, count), y.middleCols(begin, count));
    parallel::for_each_in_threads((count + strip - 1) / strip, [&](Index s) {
      const Index first = s * strip, used = std::min(strip, count - first);
      MatrixD sums = MatrixD::Zero(coefficients.rows(), strip);
      add_residual_squares(residuals.reductions, tile, first, residuals.of_mean.middleCols(first, strip),
                           weights, coefficients, sums);
      sums_.middleCols(begin + first, used) += sums.leftCols(used);
    });
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
