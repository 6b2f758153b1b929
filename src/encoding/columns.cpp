#include "columns.hpp"

#include <algorithm>
#include <limits>

namespace cinecortex::encoding {

VectorD column_means(const ConstViewD& values) {
  const VectorD first = values.row(0).transpose();
  VectorD distance = VectorD::Zero(values.cols());
  for (Index i = 1; i < values.rows(); ++i) distance += values.row(i).transpose() - first;
  return first + distance / static_cast<double>(values.rows());
}

Index numerical_rank(const VectorD& ascending, Index rows, Index columns) {
  const Index count = ascending.size();
  if (count == 0) return 0;
  const double zero = std::max(0.0, ascending[count - 1] * static_cast<double>(std::max(rows, columns)) *
                                        std::numeric_limits<double>::epsilon());
  Index rank = 0;
  while (rank < std::min(count, rows - 1) && ascending[count - 1 - rank] > zero) ++rank;
  return rank;
}

bool resolved_by_single(const VectorD& values, Index columns) {
  constexpr double least = 1e-6;
  return values.size() == columns && values.minCoeff() >= least * values.maxCoeff();
}

}  // namespace cinecortex::encoding
