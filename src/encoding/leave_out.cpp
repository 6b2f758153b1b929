#include "leave_out.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "cinecortex/linalg/dense.hpp"
#include "target_tiles.hpp"

namespace cinecortex::encoding {
namespace {

std::vector<Shrinkage> shrinkages(const VectorD& values, const std::vector<double>& alphas) {
  std::vector<Shrinkage> all;
  for (const double alpha : alphas) all.emplace_back(values, alpha);
  return all;
}

}  // namespace

Shrinkage::Shrinkage(const VectorD& values, double alpha) : shape(values.size()), factor(0) {
  if (values.size() == 0) return;
  const double least = values.minCoeff() + alpha;
  shape = least / (values.array() + alpha);
  factor = alpha / least;
}

bool reaches_all(Index rank, Index rows_global) {
  return rank == rows_global - 1;
}

double zero_leverage_gap(Index rows_global, Index rank) {
  return 16.0 * static_cast<double>(std::max(rows_global, rank)) * std::numeric_limits<double>::epsilon();
}

LeaveOneOut::LeaveOneOut(const VectorD& values, const MatrixD& projection, const std::vector<double>& alphas,
                         Index rows_global)
    : projection_(projection),
      shrinkages_(shrinkages(values, alphas)),
      rows_global_(rows_global),
      sums_(MatrixD::Zero(static_cast<Index>(alphas.size()), projection.cols())) {}

void LeaveOneOut::add_beyond(const VectorD& weight, const ConstViewD& u, const ConstViewD& y) {
  const MatrixD squared = u.cwiseAbs2();
  VectorD gap = (1.0 - 1.0 / static_cast<double>(rows_global_) - squared.rowwise().sum().array()).matrix();
  const double zero = reaches_all(u.cols(), rows_global_) ? std::numeric_limits<double>::infinity()
                                                          : zero_leverage_gap(rows_global_, u.cols());
  gap = (gap.array() <= zero).select(0.0, gap);
  const auto count = static_cast<Index>(shrinkages_.size());
  MatrixD scales(gap.size(), count), weights(gap.size(), count);
  for (Index a = 0; a < count; ++a) {
    const auto& [shape, factor] = shrinkages_[static_cast<std::size_t>(a)];
    scales.col(a) = (gap.array() > 0).select(VectorD::Constant(gap.size(), factor), 1.0);
    const VectorD one_minus_h = gap + scales.col(a).cwiseProduct(squared * shape);
    // Where g was left unscaled the true residual is `factor` times this one.
    const VectorD size = (gap.array() > 0).select(VectorD::Ones(gap.size()), factor);
    weights.col(a) = one_minus_h.cwiseAbs2().cwiseInverse() - weight[a] * size.cwiseAbs2();
  }
  for_each_tile(y.cols(), [&](Range some) {
    const auto projection = projection_.middleCols(some.begin, some.size());
    MatrixD rest = y.middleCols(some.begin, some.size());  // e₀: what no alpha can explain
    linalg::gemm(false, false, -1.0, u, projection, 1.0, rest);
    for (Index row = 0; row < gap.size(); ++row) {
      if (gap[row] == 0) rest.row(row).setZero();
    }
    for (Index a = 0; a < count; ++a) {
      const MatrixD shaped = shrinkages_[static_cast<std::size_t>(a)].shape.asDiagonal() * projection;
      MatrixD residual = linalg::product(false, false, u, shaped);
      residual = rest + scales.col(a).asDiagonal() * residual;
      sums_.row(a).segment(some.begin, some.size()) += weights.col(a).transpose() * residual.cwiseAbs2();
    }
  });
}

MatrixD generalised_cross_validation(const VectorD& values, const MatrixD& projection,
                                     const VectorD& squares_y, const std::vector<double>& alphas,
                                     Index rows_global) {
  const Index rank = values.size();
  const auto n = static_cast<double>(rows_global);
  const bool saturated = reaches_all(rank, rows_global);
  const MatrixD squared = projection.cwiseAbs2();
  VectorD rest = (squares_y - squared.colwise().sum().transpose()).cwiseMax(0.0);
  if (saturated) rest.setZero();
  MatrixD result(static_cast<Index>(alphas.size()), projection.cols());
  for (std::size_t a = 0; a < alphas.size(); ++a) {
    const Shrinkage shrinkage(values, alphas[a]);
    const double scale = saturated ? 1.0 : shrinkage.factor;
    const double free_rows = n - 1.0 - static_cast<double>(rank) + scale * shrinkage.shape.sum();
    const VectorD sse = rest + scale * scale * (squared.transpose() * shrinkage.shape.cwiseAbs2());
    result.row(static_cast<Index>(a)) = (n * sse / (free_rows * free_rows)).transpose();
  }
  return result;
}

double choose_alpha(const VectorD& curve, const std::vector<double>& alphas, Better better) {
  constexpr double tie = 1e-12;
  const double best = better == Better::higher ? curve.maxCoeff() : curve.minCoeff();
  // R² (the one curve of which more is better) is a difference from 1: that is what its rounding is relative
  // to.
  const double slack = tie * (better == Better::higher ? std::max(1.0, std::abs(best)) : std::abs(best));
  double chosen = -1;
  for (Index a = 0; a < curve.size(); ++a) {
    if (std::abs(curve[a] - best) <= slack) chosen = std::max(chosen, alphas[static_cast<std::size_t>(a)]);
  }
  return chosen;
}

}  // namespace cinecortex::encoding
