#include "cinecortex/linalg/product_sum.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "cinecortex/core/error.hpp"
#include "cinecortex/linalg/dense.hpp"
#include "cinecortex/parallel/threads.hpp"
#include "device_kernels.hpp"

namespace cinecortex::linalg {
namespace {

/// Columns of a product at a time: enough for the processor's full rate, few enough that their float32 sum is small
/// beside the float64 one.
constexpr Index most_columns = 4096;

/// total += recent, up to `end(row)` of the columns, or total = recent where the sum begins.
template <class End>
void move_sum(const MatrixF& recent, MatrixD& total, Range columns, bool begins, End end) {
  constexpr Index strip = 64;
  const Index strips = (total.rows() + strip - 1) / strip;
  parallel::for_each_in_threads(strips, [&](Index turn) {
    const Index s = strips - 1 - turn;  // the longest rows first
    for (Index i = s * strip; i < std::min(total.rows(), (s + 1) * strip); ++i) {
      const float* from = recent.row(i).data();
      double* to = total.row(i).data() + columns.begin;
      if (begins) {
        std::copy(from, from + end(i), to);
        continue;
      }
      for (Index j = 0, last = end(i); j < last; ++j) to[j] += static_cast<double>(from[j]);
    }
  });
}

/// Moves a whole sum, unless it has no rows.
template <class End>
void settle_sum(const MatrixF& recent, Index& recent_rows, MatrixD& total, End end) {
  if (std::exchange(recent_rows, 0) == 0) return;
  const bool begins = total.size() == 0;
  if (begins) total.resize(recent.rows(), recent.cols());
  move_sum(recent, total, {0, recent.cols()}, begins, end);
}

/// Calls fn(rows) for a piece's rows, as many at a time as float32 sums up.
template <class Fn>
void for_each_cut(Index rows, Fn&& fn) {
  for (Index row = 0; row < rows; row += most_rows_of_float32)
    fn(Range{row, std::min(row + most_rows_of_float32, rows)});
}

std::unique_ptr<DeviceSum> sum_on_device(Index rows, Index columns) {
  const DeviceKernels* kernels = device_kernels();
  return kernels != nullptr && rows > 0 && columns > 0 ? kernels->sum(rows, columns) : nullptr;
}

}  // namespace

ProductSum::ProductSum(Index rows, Index columns)
    : rows_(rows), columns_(columns), on_device_(sum_on_device(rows, columns)) {}
ProductSum::~ProductSum() = default;
ProductSum::ProductSum(ProductSum&&) noexcept = default;

void ProductSum::add(const ConstViewF& a, const ConstViewF& b) {
  if (a.rows() == 0) return;
  if (on_device_) return on_device_->add(a, b);
  if (rows_ == 0 || columns_ == 0) return;
  if (b.cols() != columns_) {
    throw Error(fmt::format("internal: a sum of products with {} columns was given {}", columns_, b.cols()));
  }
  const Index width = std::min(columns_, most_columns);
  recent_.resize(rows_, width);
  for_each_cut(a.rows(), [&](Range rows) {
    const auto some_a = a.middleRows(rows.begin, rows.size()), some_b = b.middleRows(rows.begin, rows.size());
    if (recent_rows_ + rows.size() > most_rows_of_float32) settle();
    if (width == columns_) {
      gemm(true, false, 1.0F, some_a, some_b, recent_rows_ > 0 ? 1.0F : 0.0F, recent_);
      recent_rows_ += rows.size();
      return;
    }
    const bool begins = total_.size() == 0;
    if (begins) total_.resize(rows_, columns_);
    for (Index column = 0; column < columns_; column += width) {
      const Range columns{column, std::min(column + width, columns_)};
      recent_.resize(rows_, columns.size());
      gemm(true, false, 1.0F, some_a, some_b.middleCols(column, columns.size()), 0.0F, recent_);
      move_sum(recent_, total_, columns, begins, [&](Index) { return columns.size(); });
    }
  });
}

void ProductSum::settle() {
  settle_sum(recent_, recent_rows_, total_, [&](Index) { return columns_; });
}

void ProductSum::add(const ConstViewD& a, const ConstViewD& b) {
  if (a.rows() == 0) return;
  if (on_device_) return on_device_->add(a, b);
  if (rows_ == 0 || columns_ == 0) return;
  if (total_.size() == 0) total_ = MatrixD::Zero(rows_, columns_);
  gemm(true, false, 1.0, a, b, 1.0, total_);
}

MatrixD ProductSum::take() {
  if (on_device_) return on_device_->take();
  settle();
  recent_.resize(0, 0);
  if (total_.size() == 0) return MatrixD::Zero(rows_, columns_);
  return std::move(total_);
}

GramSum::GramSum(Index columns) : columns_(columns), on_device_(sum_on_device(columns, columns)) {}
GramSum::~GramSum() = default;
GramSum::GramSum(GramSum&&) noexcept = default;

void GramSum::add(const ConstViewF& a) {
  if (a.rows() == 0) return;
  if (on_device_) return on_device_->add(a, a);
  if (columns_ == 0) return;
  recent_.resize(columns_, columns_);
  for_each_cut(a.rows(), [&](Range rows) {
    if (recent_rows_ + rows.size() > most_rows_of_float32) settle();
    add_gram(a.middleRows(rows.begin, rows.size()), recent_rows_ > 0 ? 1.0F : 0.0F, recent_);
    recent_rows_ += rows.size();
  });
}

void GramSum::settle() {
  settle_sum(recent_, recent_rows_, total_, [](Index i) { return i + 1; });
}

void GramSum::add(const ConstViewD& a) {
  if (a.rows() == 0) return;
  if (on_device_) return on_device_->add(a, a);
  if (total_.size() == 0) total_ = MatrixD::Zero(columns_, columns_);
  add_gram(a, 1.0, total_);
}

MatrixD GramSum::take() {
  if (on_device_) return on_device_->take();
  settle();
  recent_.resize(0, 0);
  if (total_.size() == 0) return MatrixD::Zero(columns_, columns_);
  return std::move(total_);
}

void sum_symmetric(ViewD lower, const parallel::Communicator& comm) {
  if (lower.rows() != lower.cols()) {
    throw Error(fmt::format("internal: sum_symmetric of a [{}, {}] matrix", lower.rows(), lower.cols()));
  }
  constexpr Index enough = Index{1} << 19;  // numbers at a time
  std::vector<double> sent;
  const auto for_each_row = [&](Range rows, auto&& fn) {
    double* place = sent.data();
    for (Index row = rows.begin; row < rows.end; ++row) {
      fn(lower.row(row).data(), row + 1, place);
      place += row + 1;
    }
  };
  for (Index begin = 0, end = 0; comm.size() > 1 && begin < lower.rows(); begin = end) {
    Index count = 0;
    while (end < lower.rows() && count < enough) count += ++end;
    sent.resize(static_cast<std::size_t>(count));
    for_each_row({begin, end},
                 [](const double* row, Index size, double* place) { std::copy_n(row, size, place); });
    comm.sum(std::span(sent));
    for_each_row({begin, end},
                 [](double* row, Index size, const double* place) { std::copy_n(place, size, row); });
  }
  mirror_lower(lower);
}

}  // namespace cinecortex::linalg
