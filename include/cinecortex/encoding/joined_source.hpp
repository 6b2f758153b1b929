#pragma once
#include <vector>

#include "cinecortex/encoding/block_source.hpp"
#include "cinecortex/encoding/statistics.hpp"
#include "cinecortex/parallel/communicator.hpp"

namespace cinecortex::encoding {

/// The columns of several sources side by side: same blocks, same rows. It refers to the parts.
class JoinedSource final : public BlockSource {
 public:
  /// @throws InputError if the parts differ in blocks or rows (names the block); Error for no part. Collective: no.
  explicit JoinedSource(std::vector<const BlockSource*> parts);
  Index blocks() const override { return parts_.front()->blocks(); }
  Index rows(Index block) const override { return parts_.front()->rows(block); }
  Index columns() const override { return parts_columns_.back().end; }
  MatrixD read(Index block, Range columns) const override;
  bool single_precision() const override;
  MatrixF read_single(Index block, Range columns) const override;
  using BlockSource::read;
  std::string name(Index block) const override { return parts_.front()->name(block); }
  const std::vector<Range>& parts_columns() const noexcept { return parts_columns_; }  ///< of each part

 private:
  template <class Scalar>
  Matrix<Scalar> read_joined(Index block, Range columns) const;
  std::vector<const BlockSource*> parts_;
  std::vector<Range> parts_columns_;
};

/// Some columns (targets) of a source, to which it refers.   Collective: no.
class ColumnsOf final : public BlockSource {
 public:
  ColumnsOf(const BlockSource& source, Range columns) : source_(source), columns_(columns) {}
  Index blocks() const override { return source_.blocks(); }
  Index rows(Index block) const override { return source_.rows(block); }
  Index columns() const override { return columns_.size(); }
  MatrixD read(Index block, Range columns) const override { return source_.read(block, moved(columns)); }
  bool single_precision() const override { return source_.single_precision(); }
  MatrixF read_single(Index block, Range columns) const override {
    return source_.read_single(block, moved(columns));
  }
  MatrixD read_rows(Index block, Range rows, Range columns) const override {
    return source_.read_rows(block, rows, moved(columns));
  }
  MatrixF read_rows_single(Index block, Range rows, Range columns) const override {
    return source_.read_rows_single(block, rows, moved(columns));
  }
  using BlockSource::read;
  std::string name(Index block) const override { return source_.name(block); }

 private:
  Range moved(Range columns) const { return {columns_.begin + columns.begin, columns_.begin + columns.end}; }
  const BlockSource& source_;
  Range columns_;
};

/// Statistics of groups of blocks, each row read once. Products in the data's precision, sums in float64.
/// Memory per rank: 8 (groups + 1.5) p (p + t_local) bytes and one block of x and y.
/// @param group_of  [blocks] 0 … groups - 1
/// @return one object a group, all about the same shifts; y and the cross products are of this rank's targets,
///         partition(t, size, rank), everything else is the same on every rank.
/// @throws InputError as fit_ridge.   Collective: over comm.
std::vector<Statistics> group_statistics(const BlockSource& x, const BlockSource& y,
                                         const std::vector<Index>& group_of, Index groups,
                                         const parallel::Communicator& comm);

}  // namespace cinecortex::encoding
