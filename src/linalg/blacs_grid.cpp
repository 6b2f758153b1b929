#include "blacs_grid.hpp"

#include <fmt/format.h>

#include <exception>

#include "cinecortex/core/error.hpp"
#include "fortran.hpp"

namespace cinecortex::linalg {

BlacsGrid::BlacsGrid(const parallel::Communicator& comm, int rows, int columns)
    : comm_(comm.duplicate()),
      handle_(Csys2blacs_handle(comm_.handle())),
      context_(handle_),
      rows_(rows),
      columns_(columns) {
  if (rows * columns != comm_.size()) {
    throw Error(fmt::format("internal: a BLACS grid of {} × {} over {} ranks", rows, columns, comm_.size()));
  }
  Cblacs_gridinit(&context_, "Row-major", rows, columns);
  int made_rows = 0, made_columns = 0;
  Cblacs_gridinfo(context_, &made_rows, &made_columns, &row_, &column_);
  const bool as_asked = made_rows == rows && made_columns == columns && row_ == comm_.rank() / columns &&
                        column_ == comm_.rank() % columns;
  if (!as_asked) {
    throw Error(fmt::format("BLACS made a grid of {} × {} with rank {} at ({}, {}), asked for was {} × {}",
                            made_rows, made_columns, comm_.rank(), row_, column_, rows, columns));
  }
}

BlacsGrid::~BlacsGrid() {
  if (std::uncaught_exceptions() > 0) return;
  Cblacs_gridexit(context_);
  Cfree_blacs_system_handle(handle_);
}

Index BlockCyclic::size_local() const {
  const int size = checked_cast<int>(size_global_);
  const int block = checked_cast<int>(block_);
  const int first = 0;
  return numroc_(&size, &block, &process_, &first, &processes_);
}

}  // namespace cinecortex::linalg
