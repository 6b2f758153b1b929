#pragma once
#include <vector>

#include "spectral_form.hpp"

namespace cinecortex::encoding {

/// One minus the leverage of every row at every alpha, 1 - h_i(α) = 1 - 1/n - Σ_j u_ij² λ_j/(λ_j+α): it does not
/// depend on the targets. Keeps rows of U too, of all of this rank's blocks as far as `cache_bytes` reach.
class Leverages {
 public:
  /// Reads x once.
  /// @param cache_bytes  the same on every rank
  /// Collective: over the problem's communicator.
  Leverages(const RidgeProblem& problem, const SpectralForm& form, const std::vector<double>& alphas,
            Index cache_bytes);

  const MatrixD& gaps() const noexcept { return gaps_; }  ///< 1 - h [n, A], rows in the blocks' order
  /// Rows of high leverage, which are computed alpha by alpha in float64: those where float32 and few terms lose
  /// too many digits, and, if that narrows the others' range much, the highest hundredth of all rows.
  bool is_hard(Index row) const { return gaps_.row(row).minCoeff() < hard_; }
  /// Rows of U of a block: those that were kept, or made anew in `room`.
  const MatrixF& left_vectors(Index block, MatrixF& room) const;
  const MatrixD& left_vectors(Index block, MatrixD& room) const;

 private:
  double hard_threshold() const;
  /// How many blocks' rows of U are kept, from the first on.
  std::size_t blocks_that_fit(const RidgeProblem& problem, const std::vector<Index>& blocks,
                              Index cache_bytes) const;
  template <class Scalar, class Make, class Put>
  void make_rows(bool own, bool keep, Index rows, Matrix<Scalar>& kept, Make&& make, Put&& put) const;
  const SpectralForm& form_;
  MatrixD gaps_;
  double hard_ = 0;
  std::vector<MatrixF> kept_single_;  ///< by block; empty where not kept
  std::vector<MatrixD> kept_double_;
};

}  // namespace cinecortex::encoding
