#pragma once
#include "cinecortex/core/types.hpp"
#include "cinecortex/parallel/communicator.hpp"

namespace cinecortex::encoding {

/// Mean and sum of squared deviations per column over rows that arrive in pieces, in float64. Pieces are merged by
/// their means, so that a mean far from zero costs no digits.
class ColumnMoments {
 public:
  explicit ColumnMoments(Index columns);
  template <class Scalar>  // float, double
  void add(const ConstView<Scalar>& rows);
  /// This object's moments become those of all ranks' rows, the same to the bit on every rank.
  /// Collective: over comm.
  void merge(const parallel::Communicator& comm);

  Index rows() const noexcept { return rows_; }
  const VectorD& mean() const noexcept { return mean_; }
  /// [columns] sum of squared deviations from the mean; 0 where a column is constant but for rounding.
  VectorD squared_deviations() const;
  /// [columns] standard deviation, ddof 0; 1 where a column is constant.
  VectorD scale() const;

 private:
  Index rows_ = 0;
  VectorD mean_, m2_;
};

/// Z-scores every column over all rows given (ddof 0; a constant column becomes zeros).
template <class Scalar>  // float, double
void standardise(Matrix<Scalar>& rows);

}  // namespace cinecortex::encoding
