#include "cinecortex/linalg/product_sum.hpp"

#include "cinecortex/linalg/dense.hpp"
#include "cinecortex/parallel/threads.hpp"

namespace cinecortex::linalg {
namespace {

/// Rows after which float32 sums move to float64: fewer cost time (a pass over memory), more cost digits.
constexpr Index flush_every = 2048;

/// total += recent, from column `first(row)` on.
template <class First>
void move_sum(const MatrixF& recent, MatrixD& total, First first) {
  constexpr Index strip = 64;
  const Index strips = (total.rows() + strip - 1) / strip;
  parallel::for_each_in_threads(strips, [&](Index s) {
    for (Index i = s * strip; i < std::min(total.rows(), (s + 1) * strip); ++i) {
      const float* from = recent.row(i).data();
      double* to = total.row(i).data();
      for (Index j = first(i); j < total.cols(); ++j) to[j] += static_cast<double>(from[j]);
    }
  });
}

}  // namespace

ProductSum::ProductSum(Index rows, Index columns) : total_(MatrixD::Zero(rows, columns)) {}

void ProductSum::add(const ConstViewF& a, const ConstViewF& b) {
  if (a.rows() == 0 || total_.size() == 0) return;
  if (recent_.size() == 0) recent_.resize(total_.rows(), total_.cols());
  const float keep = recent_rows_ == 0 ? 0.0F : 1.0F;
  gemm(true, false, 1.0F, a, b, keep, recent_);
  recent_rows_ += a.rows();
  if (recent_rows_ >= flush_every) flush();
}

void ProductSum::add(const ConstViewD& a, const ConstViewD& b) {
  if (a.rows() == 0) return;
  gemm(true, false, 1.0, a, b, 1.0, total_);
}

void ProductSum::flush() {
  if (recent_rows_ == 0) return;
  move_sum(recent_, total_, [](Index) { return Index{0}; });
  recent_rows_ = 0;
}

MatrixD ProductSum::take() {
  flush();
  recent_.resize(0, 0);
  return std::move(total_);
}

GramSum::GramSum(Index columns) : total_(MatrixD::Zero(columns, columns)) {}

void GramSum::add(const ConstViewF& a) {
  if (a.rows() == 0 || total_.size() == 0) return;
  if (recent_rows_ == 0) recent_.setZero(total_.rows(), total_.cols());
  add_gram(a, recent_);
  recent_rows_ += a.rows();
  if (recent_rows_ >= flush_every) flush();
}

void GramSum::add(const ConstViewD& a) {
  if (a.rows() == 0) return;
  add_gram(a, total_);
}

void GramSum::flush() {
  if (recent_rows_ == 0) return;
  move_sum(recent_, total_, [](Index row) { return row; });
  recent_rows_ = 0;
}

MatrixD GramSum::take() {
  flush();
  recent_.resize(0, 0);
  mirror_upper(total_);
  return std::move(total_);
}

}  // namespace cinecortex::linalg
