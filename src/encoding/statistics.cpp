#include "cinecortex/encoding/statistics.hpp"

#include <fmt/format.h>

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

}  // namespace

Statistics& Statistics::operator+=(const Statistics& other) {
  require_alike(*this, other);
  rows += other.rows;
  sum_x += other.sum_x;
  sum_y += other.sum_y;
  squares_y += other.squares_y;
  gram += other.gram;
  for_each_strip(targets(), [&](Range some) {
    cross.middleCols(some.begin, some.size()) += other.cross.middleCols(some.begin, some.size());
  });
  return *this;
}

Statistics& Statistics::operator-=(const Statistics& other) {
  require_alike(*this, other);
  rows -= other.rows;
  sum_x -= other.sum_x;
  sum_y -= other.sum_y;
  squares_y -= other.squares_y;
  gram -= other.gram;
  cross -= other.cross;
  return *this;
}

Statistics Statistics::select(std::span<const Index> columns) const {
  return {.rows = rows,
          .shift_x = shift_x(columns),
          .shift_y = shift_y,
          .sum_x = sum_x(columns),
          .sum_y = sum_y,
          .squares_y = squares_y,
          .gram = gram(columns, columns),
          .cross = cross(columns, Eigen::all)};
}

Statistics Statistics::of_targets(Range targets) const {
  return {.rows = rows,
          .shift_x = shift_x,
          .shift_y = shift_y.segment(targets.begin, targets.size()),
          .sum_x = sum_x,
          .sum_y = sum_y.segment(targets.begin, targets.size()),
          .squares_y = squares_y.segment(targets.begin, targets.size()),
          .gram = {},
          .cross = cross.middleCols(targets.begin, targets.size())};
}

CentredStatistics CentredStatistics::of_targets(Range targets) const {
  return {.rows = rows,
          .mean_x = mean_x,
          .mean_y = mean_y.segment(targets.begin, targets.size()),
          .squares_y = squares_y.segment(targets.begin, targets.size()),
          .gram = {},
          .cross = cross.middleCols(targets.begin, targets.size())};
}

CentredStatistics centred_rest(const Statistics& whole, const Statistics& part, Range targets) {
  const Index begin = targets.begin, size = targets.size();
  return centre({.rows = whole.rows - part.rows,
                 .shift_x = whole.shift_x,
                 .shift_y = whole.shift_y.segment(begin, size),
                 .sum_x = whole.sum_x - part.sum_x,
                 .sum_y = whole.sum_y.segment(begin, size) - part.sum_y.segment(begin, size),
                 .squares_y = whole.squares_y.segment(begin, size) - part.squares_y.segment(begin, size),
                 .gram = {},
                 .cross = whole.cross.middleCols(begin, size) - part.cross.middleCols(begin, size)});
}

MatrixD centred_gram_of_rest(const Statistics& whole, const Statistics& part) {
  CentredStatistics rest = centred_rest(whole, part, {});
  rest.gram = whole.gram - part.gram;
  const VectorD from_shift = rest.mean_x - whole.shift_x;
  rest.gram.noalias() -= (static_cast<double>(rest.rows) * from_shift) * from_shift.transpose();
  return std::move(rest.gram);
}

CentredStatistics centre(Statistics statistics) {
  const auto n = static_cast<double>(statistics.rows);
  const VectorD rest_x = statistics.sum_x / n;  // what the shift left of the mean
  const VectorD rest_y = statistics.sum_y / n;
  CentredStatistics centred{.rows = statistics.rows,
                            .mean_x = statistics.shift_x + rest_x,
                            .mean_y = statistics.shift_y + rest_y,
                            .squares_y = (statistics.squares_y - n * rest_y.cwiseAbs2()).cwiseMax(0.0),
                            .gram = std::move(statistics.gram),
                            .cross = std::move(statistics.cross)};
  if (centred.gram.size() > 0) centred.gram.noalias() -= (n * rest_x) * rest_x.transpose();
  centred.cross.noalias() -= (n * rest_x) * rest_y.transpose();
  return centred;
}

}  // namespace cinecortex::encoding
