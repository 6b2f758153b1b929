#pragma once
#include <variant>
#include <vector>

#include "run_batches.hpp"
#include "spectral_form.hpp"

namespace cinecortex::encoding {

/// Rows that share what is made for a tile of targets, or some more, where a run has fewer.
constexpr Index rows_together = 1536;

/// One minus the leverage of every row at every alpha, 1 - h_i(α) = 1 - 1/n - Σ_j u_ij² λ_j/(λ_j+α): it does not
/// depend on the targets. Keeps rows of U too, of all of this rank's groups as far as `cache_bytes` reach.
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
  /// This rank's blocks, by the groups that are multiplied together.
  const std::vector<RunBatch>& groups() const noexcept { return groups_; }
  Index most_rows() const;  ///< of a group
  /// Whether a problem's rows are dealt to the ranks as they were here: those of other targets may not be.
  bool dealt_alike(const RidgeProblem& problem) const { return problem.grid().run_parts() == run_parts_; }
  /// Rows of U of a group: those that were kept, or made anew in `room`.
  template <class Scalar>
  ConstView<Scalar> left_vectors(std::size_t group, Matrix<Scalar>& room) const;

 private:
  template <class Scalar>
  void make(const RidgeProblem& problem, const std::vector<double>& alphas, Index cache_bytes);
  double hard_threshold() const;
  const SpectralForm& form_;
  int run_parts_;
  std::vector<RunBatch> groups_;
  MatrixD gaps_;
  double hard_ = 0;
  std::variant<std::vector<MatrixF>, std::vector<MatrixD>> kept_;  ///< rows of U of the first groups
};

}  // namespace cinecortex::encoding
