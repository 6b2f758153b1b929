#include "cinecortex/encoding/scores.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "cinecortex/core/error.hpp"
#include "columns.hpp"

namespace cinecortex::encoding {
namespace {

/// A sum of squared deviations that is nothing but the rounding of the values themselves.
bool is_constant(double squares, double mean, Index rows) {
  const double rounding = 4 * std::numeric_limits<double>::epsilon() * std::abs(mean);
  return squares <= static_cast<double>(rows) * rounding * rounding;
}

}  // namespace

CorrelationMoments::CorrelationMoments(Index targets)
    : mean_y_(VectorD::Zero(targets)),
      mean_p_(VectorD::Zero(targets)),
      m2_y_(VectorD::Zero(targets)),
      m2_p_(VectorD::Zero(targets)),
      co_(VectorD::Zero(targets)) {}

void CorrelationMoments::add(const ConstViewD& truth, const ConstViewD& prediction) {
  if (truth.rows() != prediction.rows() || truth.cols() != mean_y_.size() ||
      prediction.cols() != mean_y_.size()) {
    throw Error(fmt::format("internal: scores of a truth [{}, {}] and a prediction [{}, {}] for {} targets",
                            truth.rows(), truth.cols(), prediction.rows(), prediction.cols(),
                            mean_y_.size()));
  }
  if (truth.rows() == 0) return;
  CorrelationMoments piece(mean_y_.size());
  piece.rows_ = truth.rows();
  piece.mean_y_ = column_means(truth);
  piece.mean_p_ = column_means(prediction);
  const MatrixD y = truth.rowwise() - piece.mean_y_.transpose();
  const MatrixD p = prediction.rowwise() - piece.mean_p_.transpose();
  piece.m2_y_ = y.colwise().squaredNorm().transpose();
  piece.m2_p_ = p.colwise().squaredNorm().transpose();
  piece.co_ = y.cwiseProduct(p).colwise().sum().transpose();
  merge(piece);
}

void CorrelationMoments::merge(const CorrelationMoments& other) {
  if (other.mean_y_.size() != mean_y_.size()) {
    throw Error(fmt::format("internal: scores of {} targets merged with scores of {}", mean_y_.size(),
                            other.mean_y_.size()));
  }
  if (other.rows_ == 0) return;
  const auto here = static_cast<double>(rows_);
  const auto there = static_cast<double>(other.rows_);
  const double share = there / (here + there);
  const VectorD step_y = other.mean_y_ - mean_y_;
  const VectorD step_p = other.mean_p_ - mean_p_;
  m2_y_ += other.m2_y_ + here * share * step_y.cwiseAbs2();
  m2_p_ += other.m2_p_ + here * share * step_p.cwiseAbs2();
  co_ += other.co_ + here * share * step_y.cwiseProduct(step_p);
  mean_y_ += share * step_y;
  mean_p_ += share * step_p;
  rows_ += other.rows_;
}

VectorD CorrelationMoments::pearson() const {
  VectorD r = VectorD::Zero(co_.size());
  for (Index v = 0; v < r.size(); ++v) {
    if (is_constant(m2_y_[v], mean_y_[v], rows_) || is_constant(m2_p_[v], mean_p_[v], rows_)) continue;
    r[v] = std::clamp(co_[v] / (std::sqrt(m2_y_[v]) * std::sqrt(m2_p_[v])), -1.0, 1.0);
  }
  return r;
}

Index CorrelationMoments::constant_targets() const {
  Index count = 0;
  for (Index v = 0; v < co_.size(); ++v) {
    count += is_constant(m2_y_[v], mean_y_[v], rows_) || is_constant(m2_p_[v], mean_p_[v], rows_);
  }
  return count;
}

VectorD repeat_correlation(const std::vector<MatrixD>& repeats) {
  if (repeats.size() < 2) {
    throw InputError(
        fmt::format("noise ceiling: {} repeat(s) of a run; at least two are needed", repeats.size()));
  }
  const Index targets = repeats.front().cols();
  VectorD sum = VectorD::Zero(targets);
  for (std::size_t i = 0; i < repeats.size(); ++i) {
    for (std::size_t j = i + 1; j < repeats.size(); ++j) {
      CorrelationMoments moments(targets);
      moments.add(repeats[i], repeats[j]);
      sum += moments.pearson();
    }
  }
  const auto count = static_cast<double>(repeats.size());
  return sum / (count * (count - 1) / 2);
}

VectorD noise_ceiling(const VectorD& repeat_correlation, Index presentations) {
  const auto m = static_cast<double>(presentations);
  const auto r = repeat_correlation.array().max(0.0);
  return (m * r / (1.0 + (m - 1.0) * r)).sqrt().matrix();
}

double mean(const VectorD& values) {
  return values.size() == 0 ? 0.0 : values.mean();
}

double median(VectorD values) {
  if (values.size() == 0) return 0.0;
  std::sort(values.begin(), values.end());
  const Index middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : 0.5 * (values[middle - 1] + values[middle]);
}

}  // namespace cinecortex::encoding
