#include "held_out_rows.hpp"

#include <algorithm>

#include "alpha_family.hpp"
#include "columns.hpp"

namespace cinecortex::encoding {
namespace {

using linalg::gemm;
using linalg::product;

/// G̃ b of the statistics' rows, G̃ never being made.
MatrixD centred_gram_times(const Statistics& rows, const MatrixD& b) {
  MatrixD result = product(false, false, rows.gram, b);
  const VectorD rest = rows.sum_x / static_cast<double>(rows.rows);
  result.noalias() -= rows.sum_x * (rest.transpose() * b);
  return result;
}

/// Directions whose part of VᵀC float32 resolves, once larger ones are taken out of C: rounding is some 1e-8 of the
/// largest √λ that is left. None where so many are larger that nothing is gained.
Index small_directions(const VectorD& values) {
  constexpr double widest = 4096;
  if (values.size() == 0) return 0;
  const double least = values[values.size() - 1];
  const Index small = std::count_if(values.data(), values.data() + values.size(),
                                    [&](double value) { return value <= widest * least; });
  return 3 * small > 2 * values.size() ? small : 0;
}

Index rows_of_a_block(Index rank) {
  return std::max<Index>(64, (rank + 7) / 8);
}

/// Blocks of rows, with the number of columns from their diagonal on.
template <class Fn>
void for_each_block(Index rank, Fn fn) {
  const Index most = rows_of_a_block(rank);
  for (Index begin = 0; begin < rank; begin += most) {
    fn(Range{begin, std::min(begin + most, rank)}, rank - begin);
  }
}

}  // namespace

template <class Scalar>
HalfGram<Scalar>::HalfGram(const RidgeAxes& axes, const Statistics& test)
    : half_(Matrix<Scalar>::Zero(axes.rank(), axes.rank())) {
  const MatrixD& v = axes.vectors();
  const VectorD inverse_sizes = axes.values().cwiseSqrt().cwiseInverse();
  const MatrixD gv = centred_gram_times(test, v);
  for_each_block(axes.rank(), [&](Range rows, Index rest) {
    MatrixD part = product(true, false, v.middleCols(rows.begin, rows.size()), gv.rightCols(rest));
    part = inverse_sizes.segment(rows.begin, rows.size()).asDiagonal() * part *
           inverse_sizes.tail(rest).asDiagonal();
    part.leftCols(rows.size()) *= 0.5;
    half_.block(rows.begin, rows.begin, rows.size(), rest) = part.template cast<Scalar>();
  });
}

template <class Scalar>
Matrix<Scalar> HalfGram<Scalar>::times(Range some, const Matrix<Scalar>& b) const {
  Matrix<Scalar> result(some.end, b.cols());
  for_each_block(half_.rows(), [&](Range rows, Index) {
    if (rows.begin >= some.end) return;
    const Index count = std::min(rows.end, some.end) - rows.begin;
    const Index first = std::max(rows.begin, some.begin), rest = some.end - first;
    gemm(false, false, Scalar{1}, half_.block(rows.begin, first, count, rest), b.bottomRows(rest), Scalar{0},
         result.middleRows(rows.begin, count));
  });
  return result;
}

template <class Scalar>
double HalfGram<Scalar>::norm() const {
  Eigen::Matrix<Scalar, Eigen::Dynamic, 1> v = Eigen::Matrix<Scalar, Eigen::Dynamic, 1>::Ones(half_.rows());
  double size = 0;
  for (int step = 0; step < 5; ++step) {
    v /= v.norm();
    v = half_ * v + half_.transpose() * v;
    size = static_cast<double>(v.norm());
  }
  return size;
}

template class HalfGram<float>;
template class HalfGram<double>;

HeldOutRows::HeldOutRows(const RidgeAxes& axes, const Statistics& test, Index targets, Products products)
    : axes_(axes), test_(test) {
  constexpr Index usual_products = 6;
  turned_ = usual_products * targets > 2 * axes.rank();
  const VectorD mean_x = test.shift_x + test.sum_x / static_cast<double>(test.rows);
  offset_ = axes.vectors().transpose() * (mean_x - axes.mean_x());
  // Where G is not turned there is little to do in any precision.
  if (products == Products::single && turned_) {
    single_.emplace(axes, test);
    single_norm_ = single_->norm();
    single_vectors_ = axes.vectors().cast<float>();
    small_ = small_directions(axes.values());
  }
}

template <>
MatrixD HeldOutRows::projected<float>(const MatrixD& cross) const {
  return product(true, false, single_vectors_, MatrixF(cross.cast<float>())).cast<double>();
}

template <>
MatrixD HeldOutRows::projected<double>(const MatrixD& cross) const {
  return product(true, false, axes_.vectors(), cross);
}

template <>
MatrixD HeldOutRows::fit_projected<double>(const MatrixD& cross) const {
  return projected<double>(cross);
}

template <>
MatrixD HeldOutRows::fit_projected<float>(const MatrixD& cross) const {
  if (small_ == 0) return projected<double>(cross);
  const auto large = axes_.vectors().leftCols(axes_.rank() - small_);
  MatrixD result(axes_.rank(), cross.cols());
  auto of_large = result.topRows(large.cols());
  gemm(true, false, 1.0, large, cross, 0.0, of_large);
  MatrixD rest = cross;
  gemm(false, false, -1.0, large, of_large, 1.0, rest);
  result.bottomRows(small_) =
      product(true, false, single_vectors_.rightCols(small_), MatrixF(rest.cast<float>())).cast<double>();
  return result;
}

std::vector<Range> HeldOutRows::ranges(const std::vector<double>& alphas, double tolerance) const {
  // Where G is not turned a product costs the same whatever directions it has.
  if (!turned_) return {{0, axes_.rank()}};
  const auto cost = [&](Range some) {
    constexpr double of_a_term = 60;  // pairs with the other terms
    return static_cast<double>(axes_.rank()) * share_of(some) + of_a_term;
  };
  // Diagonal blocks are not cut: half of each of their products lies on either side.
  const Index step = rows_of_a_block(axes_.rank());
  std::vector<Range> ranges;
  for (const Range wanted : ranges_of_terms(axes_.values(), alphas, tolerance, cost)) {
    const bool last = wanted.end == axes_.rank();
    const Index begin = ranges.empty() ? 0 : ranges.back().end;
    const Index end = last ? axes_.rank() : std::min(axes_.rank(), (wanted.end + step / 2) / step * step);
    if (begin < end) ranges.push_back({begin, end});
  }
  return ranges;
}

MatrixD HeldOutRows::half_gram_times(Range some, const MatrixD& b) const {
  if (!turned_) return half_gram_times_few(b);
  std::call_once(once_, [&] { whole_.emplace(axes_, test_); });
  return whole_->times(some, b);
}

double HeldOutRows::share_of(Range some) const {
  const auto of_all = [&](Index directions) {
    const double part = static_cast<double>(directions) / static_cast<double>(axes_.rank());
    return part * part;
  };
  return of_all(some.end) - of_all(some.begin);
}

MatrixD HeldOutRows::half_gram_times_few(const MatrixD& b) const {
  const VectorD inverse_sizes = axes_.values().cwiseSqrt().cwiseInverse();
  const MatrixD weights =
      product(false, false, axes_.vectors(), MatrixD(0.5 * inverse_sizes.asDiagonal() * b));
  return inverse_sizes.asDiagonal() *
         product(true, false, axes_.vectors(), centred_gram_times(test_, weights));
}

}  // namespace cinecortex::encoding
