#pragma once
#include <vector>

#include "cinecortex/core/types.hpp"

namespace cinecortex::encoding {

/// Pearson r per target over rows that arrive in pieces: means and co-moments are merged pairwise, never
/// from naive sums. A kernel: no files, no communicator.   Collective: no.
class CorrelationMoments {
 public:
  explicit CorrelationMoments(Index targets);
  void add(const ConstViewD& truth, const ConstViewD& prediction);  ///< [rows, targets] each
  void merge(const CorrelationMoments& other);                      ///< same targets
  Index rows() const noexcept { return rows_; }
  /// [targets]; 0 where truth or prediction is constant.
  VectorD pearson() const;
  Index constant_targets() const;  ///< how many r are 0 because nothing varies

 private:
  Index rows_ = 0;
  VectorD mean_y_, mean_p_, m2_y_, m2_p_, co_;
};

/// Upper bound for r of any model per target, from a run shown R ≥ 2 times, pieces being runs:
/// with r̄ the mean correlation between repeats, the reliability of their average is R r̄/(1+(R-1) r̄)
/// (Spearman–Brown), and the ceiling for predicting the average is its square root; r̄ ≤ 0 gives 0.
/// @param repeats  R matrices [rows, targets], all the same shape    Collective: no.
VectorD noise_ceiling(const std::vector<MatrixD>& repeats);

double mean(const VectorD& values);    ///< 0 for none
double median(VectorD values);         ///< 0 for none

}  // namespace cinecortex::encoding
