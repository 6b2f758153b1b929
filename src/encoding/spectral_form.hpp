#pragma once
#include <memory>
#include <string>
#include <vector>

#include "cinecortex/encoding/statistics.hpp"
#include "ridge_problem.hpp"

namespace cinecortex::encoding {

struct RowOfBlock {
  Index block;
  Index row;  ///< in the block
};

/// A design in its own axes. With the centred design X̃ = U Λ^½ Vᵀ, directions without variance left out, every
/// ridge fit is U (λ/(λ+α) ∘ ŷ), ŷ = Uᵀỹ: one decomposition serves all alphas and targets, and the criteria need
/// nothing but U's rows. Its two forms, primal (p ≤ n) and dual (n < p), differ only in where U comes from.
/// It is the same on every rank. Source: mathematics §1, §2.
class SpectralForm {
 public:
  virtual ~SpectralForm() = default;
  virtual std::string name() const = 0;

  virtual Index rows(Index block) const = 0;
  /// Rows of U for any block, in room for them: [rows(block), r].   Collective: no.
  virtual void put_left_vectors(Index block, ViewD u) const = 0;
  virtual void put_left_vectors(Index block, ViewF u) const = 0;
  template <class Scalar>
  Matrix<Scalar> left_vectors(Index block) const {
    Matrix<Scalar> u(rows(block), rank());
    put_left_vectors(block, View<Scalar>(u));
    return u;
  }
  /// Single rows of U: [rows.size(), r]. Those of a block follow each other.   Collective: no.
  virtual MatrixD left_vectors(const std::vector<RowOfBlock>& rows) const = 0;
  /// Whether float32 rows of U are as good as the data allow.
  virtual bool single_precision() const = 0;

  /// X̃ᵀ U Λ⁻¹ (λ/(λ+α) ∘ ŷ): weights [p, t_owned] of this rank's own targets.
  /// @param projection  ŷ [r, t_owned]    @param alpha  [t_owned], each target's own
  /// Collective: over the problem's communicator.
  virtual MatrixD weights(const RidgeProblem& problem, const MatrixD& projection,
                          const VectorD& alpha) const = 0;

  Index rank() const noexcept { return values_.size(); }      ///< r
  const VectorD& values() const noexcept { return values_; }  ///< λ [r], ascending, all positive
  const VectorD& mean_x() const noexcept { return mean_x_; }  ///< [p]

 protected:
  VectorD values_, mean_x_;
};

/// Targets in a design's axes: those that this rank owns.
struct ProjectedTargets {
  MatrixD projection;  ///< ŷ [r, t_owned]
  VectorD mean_y;      ///< [t_owned]
  VectorD squares_y;   ///< [t_owned] ‖ỹ‖²
};

class PrimalForm final : public SpectralForm {
 public:
  /// @param x           kept by reference: left vectors are made from its blocks
  /// @param statistics  of x's rows, with their Gram matrix
  /// @param single      the statistics came from float32 products
  /// Collective: over comm (the eigendecomposition).
  PrimalForm(const BlockSource& x, const CentredStatistics& statistics, bool single,
             const parallel::Communicator& comm);

  std::string name() const override { return "primal"; }
  using SpectralForm::left_vectors;
  Index rows(Index block) const override { return x_.rows(block); }
  void put_left_vectors(Index block, ViewD u) const override;
  void put_left_vectors(Index block, ViewF u) const override;
  MatrixD left_vectors(const std::vector<RowOfBlock>& rows) const override;
  bool single_precision() const override { return single_; }
  MatrixD weights(const RidgeProblem& problem, const MatrixD& projection,
                  const VectorD& alpha) const override;
  /// @param statistics  of the same rows; without the Gram matrix will do    Collective: no.
  ProjectedTargets project(const CentredStatistics& statistics) const;

 private:
  const BlockSource& x_;
  bool single_;
  Index columns_;
  MatrixD basis_;  ///< V Λ^-½ [p, r]
  MatrixF basis_single_;
};

class DualForm final : public SpectralForm {
 public:
  /// Reads x once.   Collective: over the problem's communicator.
  explicit DualForm(const RidgeProblem& problem);

  std::string name() const override { return "dual"; }
  using SpectralForm::left_vectors;
  Index rows(Index block) const override { return rows_of(block).size(); }
  void put_left_vectors(Index block, ViewD u) const override;
  void put_left_vectors(Index block, ViewF u) const override;
  MatrixD left_vectors(const std::vector<RowOfBlock>& rows) const override;
  bool single_precision() const override { return false; }
  MatrixD weights(const RidgeProblem& problem, const MatrixD& projection,
                  const VectorD& alpha) const override;
  /// Reads y once.   Collective: over the problem's communicator.
  ProjectedTargets project(const RidgeProblem& problem) const;

 private:
  MatrixD gram_of_rows(const RidgeProblem& problem);
  Range rows_of(Index block) const { return rows_of_block_[static_cast<std::size_t>(block)]; }
  std::vector<Range> rows_of_block_;
  MatrixD vectors_;  ///< U [n, r]
};

/// Columns of all ranks that share runs' targets, from each rank's own: [rows, t_col].
/// Collective: over the problem's run axis.
MatrixD gather_columns(MatrixD owned, const RidgeProblem& problem);
VectorD gather_targets(const VectorD& owned, const RidgeProblem& problem);

}  // namespace cinecortex::encoding
