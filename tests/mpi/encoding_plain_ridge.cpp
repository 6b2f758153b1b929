#include <Eigen/SVD>

#include "plain_ridge.hpp"

namespace cinecortex::encoding {

PlainRidge plain_ridge(const MatrixD& x, const MatrixD& y, double alpha) {
  const Eigen::RowVectorXd mean_x = x.colwise().mean();
  const Eigen::RowVectorXd mean_y = y.colwise().mean();
  const Eigen::JacobiSVD<Eigen::MatrixXd> svd(x.rowwise() - mean_x,
                                              Eigen::ComputeThinU | Eigen::ComputeThinV);
  const VectorD& s = svd.singularValues();
  VectorD shrink = VectorD::Zero(s.size());
  for (Index j = 0; j < s.size(); ++j) {
    if (s[j] > 1e-7 * s[0]) shrink[j] = s[j] / (s[j] * s[j] + alpha);
  }
  PlainRidge fit;
  fit.weights = svd.matrixV() * shrink.asDiagonal() * svd.matrixU().transpose() * (y.rowwise() - mean_y);
  fit.intercept = (mean_y - mean_x * fit.weights).transpose();
  return fit;
}

}  // namespace cinecortex::encoding
