#include "alpha_family.hpp"

#include <Eigen/QR>
#include <Eigen/SVD>

namespace cinecortex::encoding {
namespace {

/// Weights of zero would take a direction out altogether; it stays, at the end of the queue.
VectorD never_zero(VectorD weights) {
  constexpr double least = 1e-12;
  const double largest = weights.size() > 0 ? weights.maxCoeff() : 0.0;
  if (largest <= 0) return VectorD::Ones(weights.size());
  return weights.cwiseMax(least * largest);
}

}  // namespace

AlphaFamily::AlphaFamily(const VectorD& values, const std::vector<double>& alphas, const VectorD& row_weights,
                         const VectorD& column_weights)
    : inverses_(values.size(), static_cast<Index>(alphas.size())) {
  for (Index a = 0; a < inverses_.cols(); ++a) {
    inverses_.col(a) = (values.array() + alphas[static_cast<std::size_t>(a)]).inverse();
  }
  if (values.size() == 0) {
    factors_.resize(0, 0);
    coefficients_.resize(0, inverses_.cols());
    return;
  }
  const VectorD rows = never_zero(row_weights);
  const VectorD columns = never_zero(column_weights);
  const Eigen::MatrixXd weighted = rows.asDiagonal() * inverses_ * columns.asDiagonal();
  const Eigen::JacobiSVD<Eigen::MatrixXd, Eigen::HouseholderQRPreconditioner> svd(
      weighted, Eigen::ComputeThinU | Eigen::ComputeThinV);
  factors_ = rows.cwiseInverse().asDiagonal() * svd.matrixU();
  coefficients_ =
      svd.singularValues().asDiagonal() * svd.matrixV().transpose() * columns.cwiseInverse().asDiagonal();
}

MatrixD AlphaFamily::rest(Index terms) const {
  return inverses_ - factors_.leftCols(terms) * coefficients_.topRows(terms);
}

}  // namespace cinecortex::encoding
