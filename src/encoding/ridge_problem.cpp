#include "ridge_problem.hpp"

#include <fmt/format.h>

namespace cinecortex::encoding {
namespace {

std::vector<Index> checked_first_rows(const BlockSource& x, const BlockSource& y) {
  if (x.blocks() != y.blocks()) {
    throw InputError(
        fmt::format("x has {} blocks of rows, but y has {}: they must be the same", x.blocks(), y.blocks()));
  }
  if (x.columns() == 0) throw InputError("x has no columns: a regression needs at least one");
  std::vector<Index> first_rows{0};
  for (Index block = 0; block < x.blocks(); ++block) {
    if (x.rows(block) != y.rows(block)) {
      throw InputError(fmt::format("{}: x has {} rows, but y has {}: they must be the same", x.name(block),
                                   x.rows(block), y.rows(block)));
    }
    first_rows.push_back(first_rows.back() + x.rows(block));
  }
  if (first_rows.back() < 2) {
    throw InputError(
        fmt::format("x and y have {} rows together: a regression needs at least two", first_rows.back()));
  }
  return first_rows;
}

std::vector<Index> blocks_of_part(const std::vector<Index>& first_rows, Index parts, Index part) {
  std::vector<Index> rows;
  for (std::size_t block = 0; block + 1 < first_rows.size(); ++block) {
    rows.push_back(first_rows[block + 1] - first_rows[block]);
  }
  return parallel::deal_longest_first(rows, parts)[static_cast<std::size_t>(part)];
}

}  // namespace

RidgeProblem::RidgeProblem(const BlockSource& x, const BlockSource& y, const parallel::Communicator& comm)
    : x_(x),
      y_(y),
      comm_(comm),
      first_rows_(parallel::agree(comm, [&] { return checked_first_rows(x, y); })),
      grid_(comm, y.columns()),
      blocks_local_(blocks_of_part(first_rows_, grid_.run_parts(), grid_.run_part())) {}

Range RidgeProblem::owned() const noexcept {
  const Index begin = grid_.targets_local().begin;
  return {grid_.targets_owned().begin - begin, grid_.targets_owned().end - begin};
}

std::vector<Index> RidgeProblem::blocks_with_rows_local() const {
  std::vector<Index> blocks;
  for (const Index block : blocks_local_) {
    if (rows(block) > 0) blocks.push_back(block);
  }
  return blocks;
}

template <>
MatrixD RidgeProblem::centred_y<double>(Index block, const VectorD& mean) const {
  MatrixD values = y_.read(block, grid_.targets_local());
  subtract_from_rows(values, mean);
  return values;
}

template <>
MatrixF RidgeProblem::centred_y<float>(Index block, const VectorD& mean) const {
  MatrixF values = y_.read_single(block, grid_.targets_local());
  subtract_from_rows(values, mean);
  return values;
}

MatrixD RidgeProblem::centred_x(Index block, const VectorD& mean) const {
  MatrixD values = x_.read(block);
  values.rowwise() -= mean.transpose();
  return values;
}

}  // namespace cinecortex::encoding
