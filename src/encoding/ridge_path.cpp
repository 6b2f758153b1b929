#include "cinecortex/encoding/ridge_path.hpp"

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

}  // namespace cinecortex::encoding
