#pragma once
#include <vector>

#include "cinecortex/core/interrupt.hpp"
#include "cinecortex/encoding/block_source.hpp"
#include "cinecortex/parallel/agree.hpp"
#include "cinecortex/parallel/grid.hpp"
#include "columns.hpp"

namespace cinecortex::encoding {

/// One regression as it lies on this rank: its blocks and targets, dealt to a process grid.
class RidgeProblem {
 public:
  /// @throws InputError if x and y do not fit together, or are too small to fit.   Collective: over comm.
  RidgeProblem(const BlockSource& x, const BlockSource& y, const parallel::Communicator& comm);

  const BlockSource& x() const noexcept { return x_; }
  const BlockSource& y() const noexcept { return y_; }
  const parallel::Communicator& comm() const noexcept { return comm_; }
  const parallel::Grid& grid() const noexcept { return grid_; }
  Index rows() const noexcept { return first_rows_.back(); }  ///< n
  Index columns() const { return x_.columns(); }              ///< p
  Index targets_global() const { return y_.columns(); }       ///< t
  Index targets_local() const noexcept { return grid_.targets_local().size(); }
  /// Where this rank's own targets lie among those of its grid column.
  Range owned() const noexcept;

  Index blocks() const { return x_.blocks(); }
  Index first_row(Index block) const { return first_rows_[static_cast<std::size_t>(block)]; }
  Index rows(Index block) const { return first_row(block + 1) - first_row(block); }

  /// This rank's blocks, without the empty ones.
  std::vector<Index> blocks_with_rows_local() const;

  /// Calls fn(block) for this rank's blocks that have rows.  @pre fn makes no collective call.
  /// Collective: over comm (every rank throws what one rank threw).
  template <class Fn>
  void stream(Fn&& fn) const {
    parallel::agree(comm_, [&] {
      for (const Index block : blocks_local_) {
        interrupt::check();
        if (rows(block) > 0) fn(block);
      }
    });
  }

  /// A block's responses for this rank's grid column, minus `mean` [t_col].   Collective: no.
  template <class Scalar>
  Matrix<Scalar> centred_y(Index block, const VectorD& mean) const;
  MatrixD centred_x(Index block, const VectorD& mean) const;

 private:
  const BlockSource& x_;
  const BlockSource& y_;
  const parallel::Communicator& comm_;
  std::vector<Index> first_rows_;  ///< [blocks + 1]
  parallel::Grid grid_;
  std::vector<Index> blocks_local_;
};

}  // namespace cinecortex::encoding
