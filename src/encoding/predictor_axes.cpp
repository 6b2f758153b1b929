#include "predictor_axes.hpp"

#include <Eigen/Eigenvalues>

#include "columns.hpp"

namespace cinecortex::encoding {

PredictorAxes::PredictorAxes(const Moments& moments, std::vector<Index> kept)
    : kept_(std::move(kept)), rows_global_(static_cast<Index>(moments.rows)), mean_(moments.mean) {
  const Index truth = moments.mean.size() - 1;
  const auto count = static_cast<Index>(kept_.size());
  const Eigen::SelfAdjointEigenSolver<MatrixD> axes(moments.co(kept_, kept_));
  const Index rank = numerical_rank(axes.eigenvalues(), rows_global_, count);
  values_ = axes.eigenvalues().tail(rank);
  basis_ = axes.eigenvectors().rightCols(rank) * values_.cwiseSqrt().cwiseInverse().asDiagonal();
  const VectorD cross = moments.co(kept_, truth);
  projection_ = basis_.transpose() * cross;
}

Combination PredictorAxes::combination(double alpha) const {
  const Index truth = mean_.size() - 1;
  const VectorD shrunk =
      (values_.array() / (values_.array() + alpha)).matrix().cwiseProduct(projection_.col(0));
  VectorD weights = VectorD::Zero(truth);
  weights(kept_) = basis_ * shrunk;
  return {weights, mean_[truth] - weights.dot(mean_.head(truth))};
}

MatrixD PredictorAxes::left_vectors(const std::vector<MatrixD>& variables, Index target) const {
  MatrixD centred(variables.front().rows(), static_cast<Index>(kept_.size()));
  for (Index i = 0; i < centred.cols(); ++i) {
    const Index k = kept_[static_cast<std::size_t>(i)];
    centred.col(i) = (variables[static_cast<std::size_t>(k)].col(target).array() - mean_[k]).matrix();
  }
  return centred * basis_;
}

VectorD PredictorAxes::centred_truth(const std::vector<MatrixD>& variables, Index target) const {
  return (variables.back().col(target).array() - mean_[mean_.size() - 1]).matrix();
}

}  // namespace cinecortex::encoding
