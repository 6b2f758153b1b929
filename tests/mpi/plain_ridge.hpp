#pragma once
#include "cinecortex/core/types.hpp"

namespace cinecortex::encoding {

struct PlainRidge {
  MatrixD weights;  ///< [p, t]
  VectorD intercept;
  MatrixD predict(const MatrixD& x) const { return (x * weights).rowwise() + intercept.transpose(); }
};

/// Ridge by singular values of the centred rows, as defined; alpha = 0 is the fit of least norm.
/// Compiled once, in a file of its own: Eigen's decomposition is slow to compile.
PlainRidge plain_ridge(const MatrixD& x, const MatrixD& y, double alpha);

}  // namespace cinecortex::encoding
