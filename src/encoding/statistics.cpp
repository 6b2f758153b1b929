#include "cinecortex/encoding/statistics.hpp"

#include <fmt/format.h>

#include <limits>
#include <utility>

#include "cinecortex/core/error.hpp"
#include "columns.hpp"

namespace cinecortex::encoding {
namespace {

void require_alike(const Statistics& a, const Statistics& b) {
  if (a.columns() == b.columns() && a.targets() == b.targets() && a.shift_x == b.shift_x &&
      a.shift_y == b.shift_y) {
    return;
  }
  throw Error(
      fmt::format("internal: statistics of [{}, {}] and [{}, {}] columns and targets, or about other shifts, "
                  "do not add up",
                  a.columns(), a.targets(), b.columns(), b.targets()));
}

/// Σ part.*of, row by row, so that no part is read twice and the sum is written once.
MatrixD sum_of(std::span<const Statistics> parts, MatrixD Statistics::*of) {
  MatrixD sum((parts[0].*of).rows(), (parts[0].*of).cols());
  for_each_strip(sum.cols(), [&](Range some) {
    for (Index i = 0; i < sum.rows(); ++i) {
      auto row = sum.row(i).segment(some.begin, some.size());
      row = (parts[0].*of).row(i).segment(some.begin, some.size());
      for (const Statistics& part : parts.subspan(1))
        row += (part.*of).row(i).segment(some.begin, some.size());
    }
  });
  return sum;
}

}  // namespace

Statistics sum_of(std::span<const Statistics> parts) {
  if (parts.empty()) throw Error("internal: a sum of no statistics");
  const Statistics& first = parts[0];
  Statistics sum{.rows = first.rows,
                 .shift_x = first.shift_x,
                 .shift_y = first.shift_y,
                 .sum_x = first.sum_x,
                 .sum_y = first.sum_y,
                 .squares_y = first.squares_y};
  for (const Statistics& part : parts.subspan(1)) {
    require_alike(sum, part);
    sum.rows += part.rows;
    sum.sum_x += part.sum_x;
    sum.sum_y += part.sum_y;
    sum.squares_y += part.squares_y;
  }
  sum.gram = sum_of(parts, &Statistics::gram);
  sum.cross = sum_of(parts, &Statistics::cross);
  return sum;
}

CentredStatistics::CentredStatistics(const Statistics& all)
    : all_(&all), rest_x_(all.sum_x / static_cast<double>(all.rows)) {}

CentredStatistics::CentredStatistics(const Statistics& all, const Statistics& part)
    : all_(&all), part_(&part) {
  require_alike(all, part);
  rest_x_ = (all.sum_x - part.sum_x) / static_cast<double>(all.rows - part.rows);
}

CentredStatistics CentredStatistics::select(std::vector<Index> columns) const {
  if (columns.empty()) throw Error("internal: statistics of no columns");
  CentredStatistics some = *this;
  some.rest_x_ = rest_x_(columns);
  for (Index& column : columns) {
    if (!columns_.empty()) column = columns_[static_cast<std::size_t>(column)];
  }
  some.columns_ = std::move(columns);
  return some;
}

Index CentredStatistics::rows() const noexcept {
  return part_ ? all_->rows - part_->rows : all_->rows;
}

VectorD CentredStatistics::mean_x() const {
  if (columns_.empty()) return all_->shift_x + rest_x_;
  return all_->shift_x(columns_) + rest_x_;
}

VectorD CentredStatistics::rest_y(Range targets) const {
  VectorD sum = all_->sum_y.segment(targets.begin, targets.size());
  if (part_) sum -= part_->sum_y.segment(targets.begin, targets.size());
  return sum / static_cast<double>(rows());
}

VectorD CentredStatistics::mean_y(Range targets) const {
  return all_->shift_y.segment(targets.begin, targets.size()) + rest_y(targets);
}

VectorD CentredStatistics::squares_y(Range targets) const {
  const auto n = static_cast<double>(rows());
  VectorD squares = all_->squares_y.segment(targets.begin, targets.size());
  const double rounding = n * std::numeric_limits<double>::epsilon();
  const VectorD noise = rounding * squares;
  if (part_) squares -= part_->squares_y.segment(targets.begin, targets.size());
  squares -= n * rest_y(targets).cwiseAbs2();
  return (squares.array() > noise.array()).select(squares, 0.0);
}

MatrixD CentredStatistics::gram() const {
  MatrixD gram(columns(), columns());
  if (columns_.empty()) {
    gram = all_->gram;
    if (part_) gram -= part_->gram;
  } else {
    gram = all_->gram(columns_, columns_);
    if (part_) gram -= part_->gram(columns_, columns_);
  }
  gram.noalias() -= (static_cast<double>(rows()) * rest_x_) * rest_x_.transpose();
  return gram;
}

template <class Scalar>
Matrix<Scalar> CentredStatistics::cross(Range targets, const VectorD& factors) const {
  Matrix<Scalar> result(columns(), targets.size());
  const VectorD rest = rest_y(targets);
  for (Index j = 0; j < columns(); ++j) {
    const Index column = columns_.empty() ? j : columns_[static_cast<std::size_t>(j)];
    const double of_mean = static_cast<double>(rows()) * rest_x_[j];
    const double* from = &all_->cross(column, targets.begin);
    Scalar* to = result.row(j).data();
    if (part_) {
      const double* less = &part_->cross(column, targets.begin);
      for (Index v = 0; v < targets.size(); ++v)
        to[v] = static_cast<Scalar>((from[v] - less[v] - of_mean * rest[v]) * factors[v]);
    } else {
      for (Index v = 0; v < targets.size(); ++v)
        to[v] = static_cast<Scalar>((from[v] - of_mean * rest[v]) * factors[v]);
    }
  }
  return result;
}

template MatrixF CentredStatistics::cross<float>(Range targets, const VectorD& factors) const;
template MatrixD CentredStatistics::cross<double>(Range targets, const VectorD& factors) const;

}  // namespace cinecortex::encoding
