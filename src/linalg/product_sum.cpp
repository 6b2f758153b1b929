#include "cinecortex/linalg/product_sum.hpp"

#include "cinecortex/linalg/dense.hpp"
#include "cinecortex/parallel/threads.hpp"
#include "device_kernels.hpp"

namespace cinecortex::linalg {
namespace {

/// Columns of a product at a time: enough for the processor's full rate, few enough that their float32 sum is small
/// beside the float64 one.
constexpr Index most_columns = 4096;

/// total += recent, from column `first(row)` on, or total = recent where the sum begins.
template <class First>
void move_sum(const MatrixF& recent, ViewD total, bool begins, First first) {
  constexpr Index strip = 64;
  const Index strips = (total.rows() + strip - 1) / strip;
  parallel::for_each_in_threads(strips, [&](Index s) {
    for (Index i = s * strip; i < std::min(total.rows(), (s + 1) * strip); ++i) {
      const float* from = recent.row(i).data();
      double* to = total.row(i).data();
      if (begins) {
        std::copy(from + first(i), from + total.cols(), to + first(i));
        continue;
      }
      for (Index j = first(i); j < total.cols(); ++j) to[j] += static_cast<double>(from[j]);
    }
  });
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
  const bool first = total_.size() == 0;
  if (first) total_.resize(rows_, columns_);
  for (Index column = 0; column < b.cols(); column += most_columns) {
    const Index columns = std::min(most_columns, b.cols() - column);
    recent_.resize(total_.rows(), columns);
    for (Index row = 0; row < a.rows(); row += most_rows_of_float32) {
      const Index rows = std::min(most_rows_of_float32, a.rows() - row);
      gemm(true, false, 1.0F, a.middleRows(row, rows), b.block(row, column, rows, columns), 0.0F, recent_);
      move_sum(recent_, total_.middleCols(column, columns), first && row == 0,
               [](Index) { return Index{0}; });
    }
  }
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
  const bool first = total_.size() == 0;
  if (first) total_.resize(columns_, columns_);
  recent_.resize(columns_, columns_);
  for (Index row = 0; row < a.rows(); row += most_rows_of_float32) {
    put_gram(a.middleRows(row, std::min(most_rows_of_float32, a.rows() - row)), recent_);
    move_sum(recent_, total_, first && row == 0, [](Index i) { return i; });
  }
}

void GramSum::add(const ConstViewD& a) {
  if (a.rows() == 0) return;
  if (on_device_) return on_device_->add(a, a);
  if (total_.size() == 0) total_ = MatrixD::Zero(columns_, columns_);
  add_gram(a, total_);
}

MatrixD GramSum::take() {
  if (on_device_) return on_device_->take();
  recent_.resize(0, 0);
  if (total_.size() == 0) return MatrixD::Zero(columns_, columns_);
  mirror_upper(total_);
  return std::move(total_);
}

}  // namespace cinecortex::linalg
