#pragma once
#include <string>
#include <vector>

#include "cinecortex/core/types.hpp"

namespace cinecortex::encoding {

/// A tall matrix in blocks of rows (runs), read when needed and never held whole. It is what the statistics
/// see of a data set: features, design rows, responses or predictions, from an experiment or from a file.
/// All methods are local (Collective: no) and may be called on any rank for any block.
class BlockSource {
 public:
  virtual ~BlockSource() = default;
  virtual Index blocks() const = 0;
  virtual Index rows(Index block) const = 0;
  virtual Index columns() const = 0;
  /// Rows of one block, the given columns: [rows(block), columns.size()].
  /// @throws InputError naming file and run, if they cannot be read or hold NaN or infinity.
  virtual MatrixD read(Index block, Range columns) const = 0;
  virtual std::string name(Index block) const = 0;  ///< for messages, e.g. "s01e01a"

  /// Whether the numbers are known to no more than float32's precision, e.g. because they are stored so.
  /// Products of such data run in float32 and are added up in float64.
  virtual bool single_precision() const { return false; }
  virtual MatrixF read_single(Index block, Range columns) const { return read(block, columns).cast<float>(); }

  /// Some rows of a block, the given columns. A source that can, reads no others.
  virtual MatrixD read_rows(Index block, Range rows, Range columns) const {
    return read(block, columns).middleRows(rows.begin, rows.size());
  }
  virtual MatrixF read_rows_single(Index block, Range rows, Range columns) const {
    return read_single(block, columns).middleRows(rows.begin, rows.size());
  }

  MatrixD read(Index block) const { return read(block, {0, columns()}); }
  Index total_rows() const;
};

/// A matrix in memory, cut into blocks of the given lengths.
class MemorySource final : public BlockSource {
 public:
  MemorySource(MatrixD values, const std::vector<Index>& block_rows);
  explicit MemorySource(MatrixD values);  ///< one block
  Index blocks() const override { return static_cast<Index>(begins_.size()) - 1; }
  Index rows(Index block) const override;
  Index columns() const override { return values_.cols(); }
  MatrixD read(Index block, Range columns) const override;
  using BlockSource::read;
  std::string name(Index block) const override;

 private:
  MatrixD values_;
  std::vector<Index> begins_;
};

}  // namespace cinecortex::encoding
