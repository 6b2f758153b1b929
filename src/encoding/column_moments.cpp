#include "column_moments.hpp"

#include <algorithm>
#include <limits>

#include "cinecortex/parallel/threads.hpp"
#include "columns.hpp"

namespace cinecortex::encoding {
namespace {

/// fn(begin, width) for strips of columns, so narrow that their float64 copy stays in cache, by several threads.
template <class Fn>
void for_each_slab(Index columns, Fn&& fn) {
  constexpr Index width = 64;
  parallel::for_each_in_threads((columns + width - 1) / width, [&](Index slab) {
    fn(slab * width, std::min(width, columns - slab * width));
  });
}

}  // namespace

ColumnMoments::ColumnMoments(Index columns) : mean_(VectorD::Zero(columns)), m2_(VectorD::Zero(columns)) {}

template <class Scalar>
void ColumnMoments::add(const ConstView<Scalar>& rows) {
  if (rows.rows() == 0) return;
  const auto added = static_cast<double>(rows.rows());
  const double total = static_cast<double>(rows_) + added;
  for_each_slab(rows.cols(), [&](Index begin, Index width) {
    const MatrixD slab = rows.middleCols(begin, width).template cast<double>();
    // Relative to the first row: a constant column has exactly its value as mean and no deviation.
    const Eigen::RowVectorXd first = slab.row(0);
    const Eigen::RowVectorXd mean = (slab.rowwise() - first).colwise().mean() + first;
    const VectorD m2 = (slab.rowwise() - mean).array().square().colwise().sum().matrix().transpose();
    const VectorD delta = mean.transpose() - mean_.segment(begin, width);
    m2_.segment(begin, width) += m2 + delta.cwiseAbs2() * (static_cast<double>(rows_) * added / total);
    mean_.segment(begin, width) += delta * (added / total);
  });
  rows_ += rows.rows();
}

template void ColumnMoments::add<float>(const ConstViewF&);
template void ColumnMoments::add<double>(const ConstViewD&);

void ColumnMoments::merge(const parallel::Communicator& comm) {
  const Index total = comm.sum(rows_);
  if (total == 0) return;
  VectorD mean = mean_ * (static_cast<double>(rows_) / static_cast<double>(total));
  comm.sum(numbers(mean));
  m2_ += (mean_ - mean).cwiseAbs2() * static_cast<double>(rows_);
  comm.sum(numbers(m2_));
  comm.broadcast(numbers(mean));
  comm.broadcast(numbers(m2_));
  mean_ = std::move(mean);
  rows_ = total;
}

VectorD ColumnMoments::squared_deviations() const {
  // Merged means of equal numbers may differ in their last digits.
  constexpr double rounding = 16 * std::numeric_limits<double>::epsilon();
  const VectorD noise = (mean_ * rounding).cwiseAbs2() * static_cast<double>(rows_);
  return (m2_.array() > noise.array()).select(m2_, 0.0);
}

VectorD ColumnMoments::scale() const {
  const VectorD sd = (squared_deviations() / static_cast<double>(rows_)).cwiseSqrt();
  return (sd.array() > 0.0).select(sd, 1.0);
}

template <class Scalar>
void standardise(Matrix<Scalar>& rows) {
  if (rows.rows() == 0) return;
  ColumnMoments moments(rows.cols());
  moments.add<Scalar>(rows);
  const VectorD scale = moments.scale();
  parallel::for_each_in_threads(rows.rows(), [&](Index i) {
    Scalar* const row = rows.row(i).data();
    for (Index j = 0; j < rows.cols(); ++j) {
      row[j] = static_cast<Scalar>((static_cast<double>(row[j]) - moments.mean()[j]) / scale[j]);
    }
  });
}

template void standardise<float>(MatrixF&);
template void standardise<double>(MatrixD&);

}  // namespace cinecortex::encoding
