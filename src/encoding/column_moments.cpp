#include "column_moments.hpp"

#include <limits>

#include "columns.hpp"

namespace cinecortex::encoding {

ColumnMoments::ColumnMoments(Index columns) : mean_(VectorD::Zero(columns)), m2_(VectorD::Zero(columns)) {}

void ColumnMoments::add(const ConstViewD& rows) {
  if (rows.rows() == 0) return;
  // Relative to the first row: a constant column has exactly its value as mean and no deviation.
  const Eigen::RowVectorXd first = rows.row(0);
  const Eigen::RowVectorXd mean = (rows.rowwise() - first).colwise().mean() + first;
  const VectorD m2 = (rows.rowwise() - mean).array().square().colwise().sum().matrix().transpose();
  const auto added = static_cast<double>(rows.rows());
  const double total = static_cast<double>(rows_) + added;
  const VectorD delta = mean.transpose() - mean_;
  m2_ += m2 + delta.cwiseAbs2() * (static_cast<double>(rows_) * added / total);
  mean_ += delta * (added / total);
  rows_ += rows.rows();
}

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

void standardise(MatrixD& rows) {
  if (rows.rows() == 0) return;
  ColumnMoments moments(rows.cols());
  moments.add(rows);
  rows.rowwise() -= moments.mean().transpose();
  rows.array().rowwise() /= moments.scale().transpose().array();
}

}  // namespace cinecortex::encoding
