#pragma once
#include "cinecortex/core/types.hpp"
#include "cinecortex/parallel/communicator.hpp"

namespace cinecortex::linalg {

/// A process grid of ScaLAPACK over all ranks of a communicator: rows × columns = size. Owns a duplicate of
/// the communicator, its BLACS handle and the BLACS context. Collective: construction and destruction, over
/// comm; while an exception unwinds nothing collective is called.
class BlacsGrid {
 public:
  /// @throws Error if rows × columns is not the size, or BLACS made another grid than asked for.
  BlacsGrid(const parallel::Communicator& comm, int rows, int columns);
  ~BlacsGrid();
  BlacsGrid(const BlacsGrid&) = delete;
  BlacsGrid& operator=(const BlacsGrid&) = delete;

  int context() const noexcept { return context_; }
  int rows() const noexcept { return rows_; }
  int columns() const noexcept { return columns_; }
  int row() const noexcept { return row_; }        ///< of this rank
  int column() const noexcept { return column_; }  ///< of this rank

 private:
  parallel::Communicator comm_;
  int handle_;
  int context_;
  int rows_, columns_;
  int row_ = 0, column_ = 0;
};

/// One dimension of a block-cyclic distribution, seen from one process: which global indices are local.
class BlockCyclic {
 public:
  BlockCyclic(Index size_global, Index block, int process, int processes)
      : size_global_(size_global), block_(block), process_(process), processes_(processes) {}

  Index size_local() const;
  Index global(Index local) const noexcept {
    return (local / block_ * processes_ + process_) * block_ + local % block_;
  }

 private:
  Index size_global_, block_;
  int process_, processes_;
};

}  // namespace cinecortex::linalg
