#include "alpha_family.hpp"

#include <Eigen/QR>
#include <Eigen/SVD>
#include <algorithm>
#include <map>
#include <utility>

namespace cinecortex::encoding {
namespace {

using Svd = Eigen::JacobiSVD<Eigen::MatrixXd, Eigen::HouseholderQRPreconditioner>;

/// Weights of zero would take a direction out altogether; it stays, at the end of the queue.
VectorD never_zero(const VectorD& weights) {
  constexpr double least = 1e-12;
  const double largest = weights.size() > 0 ? weights.maxCoeff() : 0.0;
  if (largest <= 0) return VectorD::Ones(weights.size());
  return weights.cwiseMax(least * largest);
}

/// Shrinkages of some of the eigenvalues, evenly spread, that stand for all.
class Sample {
 public:
  Sample(const VectorD& values, const std::vector<double>& alphas)
      : step_(std::max<Index>(1, values.size() / most)),
        shrinkages_(values.size() / step_, std::ssize(alphas)) {
    for (Index a = 0; a < shrinkages_.cols(); ++a) {
      for (Index i = 0; i < shrinkages_.rows(); ++i) {
        const double value = values[i * step_];
        shrinkages_(i, a) = value / (value + alphas[static_cast<std::size_t>(a)]);
      }
    }
  }

  Index size() const { return shrinkages_.rows(); }
  Index step() const { return step_; }
  double norm() const { return shrinkages_.norm(); }

  /// Singular values of a range of it, made once.
  const VectorD& sizes(Range range) {
    auto [found, is_new] = sizes_.try_emplace({range.begin, range.end});
    if (is_new) found->second = Svd(shrinkages_.middleRows(range.begin, range.size())).singularValues();
    return found->second;
  }

 private:
  static constexpr Index most = 128;
  Index step_;
  Eigen::MatrixXd shrinkages_;
  std::map<std::pair<Index, Index>, VectorD> sizes_;
};

/// Ranges of a sample as ranges of what was sampled.
Range of_all(Range range, const Sample& sample, Index all) {
  return {range.begin * sample.step(), range.end == sample.size() ? all : range.end * sample.step()};
}

/// What the terms of all ranges cost that leave no more than `rest` of the sample.
/// @param all  how many were sampled
double cost_of(Sample& sample, Index all, const std::vector<Range>& ranges, double rest, double of_a_term) {
  std::vector<std::pair<double, double>> terms;  // size, cost
  for (const Range range : ranges) {
    const double cost = static_cast<double>(of_all(range, sample, all).size()) + of_a_term;
    for (const double size : sample.sizes(range)) terms.emplace_back(size, cost);
  }
  std::sort(terms.begin(), terms.end());
  double cost = 0, left = 0;
  for (const auto& [size, of_term] : terms) {
    left += size * size;
    if (left > rest * rest) cost += of_term;
  }
  return cost;
}

std::vector<Range> with_cut(const std::vector<Range>& ranges, Index cut) {
  std::vector<Range> result;
  for (const Range range : ranges) {
    if (range.begin < cut && cut < range.end) {
      result.push_back({range.begin, cut});
      result.push_back({cut, range.end});
    } else {
      result.push_back(range);
    }
  }
  return result;
}

}  // namespace

std::vector<Range> ranges_of_terms(const VectorD& values, const std::vector<double>& alphas, double tolerance,
                                   double of_a_term) {
  constexpr double worth_it = 0.95;
  constexpr Index parts = 16;
  Sample sample(values, alphas);
  std::vector<Range> ranges{{0, sample.size()}};
  if (sample.size() < parts) return {{0, values.size()}};
  const double rest = tolerance * sample.norm();
  double cost = cost_of(sample, values.size(), ranges, rest, of_a_term);
  for (;;) {
    std::vector<Range> best;
    double least = worth_it * cost;
    for (Index part = 1; part < parts; ++part) {
      auto tried = with_cut(ranges, part * sample.size() / parts);
      const double cost_of_it = cost_of(sample, values.size(), tried, rest, of_a_term);
      if (cost_of_it >= least) continue;
      least = cost_of_it;
      best = std::move(tried);
    }
    if (best.empty()) break;
    cost = least;
    ranges = std::move(best);
  }
  for (auto& range : ranges) range = of_all(range, sample, values.size());
  return ranges;
}

AlphaFamily::AlphaFamily(const VectorD& values, const std::vector<double>& alphas, const VectorD& row_weights,
                         const VectorD& column_weights, std::vector<Range> ranges)
    : ranges_(std::move(ranges)), inverses_(values.size(), std::ssize(alphas)) {
  for (Index a = 0; a < inverses_.cols(); ++a) {
    inverses_.col(a) = (values.array() + alphas[static_cast<std::size_t>(a)]).inverse();
  }
  const VectorD rows = never_zero(row_weights);
  const VectorD columns = never_zero(column_weights);
  struct Term {
    double size;
    std::size_t range;
    VectorD factor, coefficient;
  };
  std::vector<Term> terms;
  for (std::size_t b = 0; b < ranges_.size(); ++b) {
    const Range range = ranges_[b];
    if (range.empty()) continue;
    const auto of_range = rows.segment(range.begin, range.size());
    const Svd svd(
        of_range.asDiagonal() * inverses_.middleRows(range.begin, range.size()) * columns.asDiagonal(),
        Eigen::ComputeThinU | Eigen::ComputeThinV);
    for (Index q = 0; q < svd.singularValues().size(); ++q) {
      const double size = svd.singularValues()[q];
      terms.push_back({size, b, svd.matrixU().col(q).cwiseQuotient(of_range),
                       size * svd.matrixV().col(q).cwiseQuotient(columns)});
    }
  }
  std::stable_sort(terms.begin(), terms.end(), [](const Term& a, const Term& b) { return a.size > b.size; });
  factors_ = MatrixD::Zero(values.size(), std::ssize(terms));
  coefficients_.resize(std::ssize(terms), inverses_.cols());
  for (Index q = 0; q < factors_.cols(); ++q) {
    const Term& term = terms[static_cast<std::size_t>(q)];
    const Range range = ranges_[term.range];
    factors_.col(q).segment(range.begin, range.size()) = term.factor;
    coefficients_.row(q) = term.coefficient.transpose();
    range_of_.push_back(term.range);
  }
}

MatrixD AlphaFamily::rest(Index terms) const {
  return inverses_ - factors_.leftCols(terms) * coefficients_.topRows(terms);
}

std::vector<RangeTerms> AlphaFamily::by_range(Index terms) const {
  std::vector<RangeTerms> parts;
  for (const Range range : ranges_) parts.push_back({range, {}});
  for (Index q = 0; q < terms; ++q) parts[range_of_[static_cast<std::size_t>(q)]].terms.push_back(q);
  std::erase_if(parts, [](const RangeTerms& part) { return part.terms.empty(); });
  return parts;
}

double AlphaFamily::products(Index terms) const {
  if (inverses_.rows() == 0) return 0;
  Index directions = 0;
  for (Index q = 0; q < terms; ++q) directions += ranges_[range_of_[static_cast<std::size_t>(q)]].size();
  return static_cast<double>(directions) / static_cast<double>(inverses_.rows());
}

}  // namespace cinecortex::encoding
