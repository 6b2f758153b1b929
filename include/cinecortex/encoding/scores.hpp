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

/// Mean correlation between the presentations of runs shown R ≥ 2 times, per target: how reliable one
/// presentation is.
/// @param repeats  R matrices [rows, targets], the runs one after the other, all the same shape
/// @throws InputError for fewer than two.   Collective: no.
VectorD repeat_correlation(const std::vector<MatrixD>& repeats);

/// Upper bound for r of any model, per target: with r̄ the mean correlation between presentations, the average
/// of m of them has reliability m r̄/(1+(m-1) r̄) (Spearman–Brown), and no prediction correlates with it by more
/// than its root. r̄ ≤ 0 gives 0.   Collective: no.
/// @param presentations  m, how many are averaged in the truth that predictions are scored on
VectorD noise_ceiling(const VectorD& repeat_correlation, Index presentations);

double mean(const VectorD& values);  ///< 0 for none
double median(VectorD values);       ///< 0 for none

}  // namespace cinecortex::encoding
