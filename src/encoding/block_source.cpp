#include "cinecortex/encoding/block_source.hpp"

#include <fmt/format.h>

#include <cmath>

#include "cinecortex/core/error.hpp"

namespace cinecortex::encoding {

Index BlockSource::total_rows() const {
  Index total = 0;
  for (Index block = 0; block < blocks(); ++block) total += rows(block);
  return total;
}

MemorySource::MemorySource(MatrixD values, const std::vector<Index>& block_rows)
    : values_(std::move(values)), begins_{0} {
  for (const Index rows : block_rows) {
    if (rows < 0) throw InputError(fmt::format("a block of {} rows: a block has 0 rows or more", rows));
    begins_.push_back(begins_.back() + rows);
  }
  if (begins_.back() != values_.rows()) {
    throw InputError(fmt::format("the blocks have {} rows together, but the matrix has {}", begins_.back(),
                                 values_.rows()));
  }
}

MemorySource::MemorySource(MatrixD values) : values_(std::move(values)), begins_{0, values_.rows()} {}

Index MemorySource::rows(Index block) const {
  const auto i = static_cast<std::size_t>(block);
  return begins_.at(i + 1) - begins_.at(i);
}

MatrixD MemorySource::read(Index block, Range columns) const {
  MatrixD part =
      values_.block(begins_.at(static_cast<std::size_t>(block)), columns.begin, rows(block), columns.size());
  if (part.allFinite()) return part;
  for (Index row = 0; row < part.rows(); ++row) {
    for (Index column = 0; column < part.cols(); ++column) {
      if (std::isfinite(part(row, column))) continue;
      throw InputError(fmt::format("{}: row {}, column {} is {}; every value must be finite", name(block),
                                   row, columns.begin + column, part(row, column)));
    }
  }
  return part;
}

std::string MemorySource::name(Index block) const {
  return fmt::format("block {}", block);
}

}  // namespace cinecortex::encoding
