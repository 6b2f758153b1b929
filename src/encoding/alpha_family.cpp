#include "alpha_family.hpp"

#include <Eigen/Eigenvalues>
#include <Eigen/QR>
#include <Eigen/SVD>
#include <algorithm>
#include <cmath>
#include <limits>
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

/// 1/(λ+α) [r, A]
MatrixD inverses_of(const VectorD& values, const std::vector<double>& alphas) {
  MatrixD inverses(values.size(), std::ssize(alphas));
  for (Index a = 0; a < inverses.cols(); ++a) {
    inverses.col(a) = (values.array() + alphas[static_cast<std::size_t>(a)]).inverse();
  }
  return inverses;
}

constexpr Index parts_of_all = 16;  // of the directions: ranges are made up of them
constexpr Index most_cuts = 3;
constexpr Index most_alphas = 32;  // of which some stand for all when ranges are chosen

/// What ranges of parts cost.
class Costs {
 public:
  /// @param weighted  [r, A]: r at least the number of parts
  Costs(const Eigen::MatrixXd& weighted, double rest, double of_a_term)
      : directions_(weighted.rows()),
        rest_(rest),
        of_a_term_(of_a_term),
        squares_(parts_of_all * (parts_of_all + 1)) {
    const double rounding = static_cast<double>(weighted.cols()) * std::numeric_limits<double>::epsilon();
    for (Index begin = 0; begin < parts_of_all; ++begin) {
      Eigen::MatrixXd gram = Eigen::MatrixXd::Zero(weighted.cols(), weighted.cols());
      for (Index end = begin + 1; end <= parts_of_all; ++end) {
        const Range part = directions(end - 1, end);
        const auto rows = weighted.middleRows(part.begin, part.size());
        gram.noalias() += rows.transpose() * rows;
        const VectorD squares =
            Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>(gram, Eigen::EigenvaluesOnly).eigenvalues();
        squares_[index(begin, end)] = (squares.array() > rounding * squares.maxCoeff()).select(squares, 0.0);
      }
    }
  }

  Range directions(Index begin_part, Index end_part) const {
    return {partition(directions_, parts_of_all, begin_part).begin,
            partition(directions_, parts_of_all, end_part - 1).end};
  }

  /// Of the fewest terms of ranges between these ends that leave no more than `rest`.
  double of(const std::vector<Index>& ends) {
    terms_.clear();
    Index begin = 0;
    for (const Index end : ends) {
      const double cost = static_cast<double>(directions(begin, end).size()) + of_a_term_;
      for (const double square : squares_[index(begin, end)]) terms_.emplace_back(square, cost);
      begin = end;
    }
    std::sort(terms_.begin(), terms_.end());
    double cost = 0, left = 0;
    for (const auto& [square, of_term] : terms_) {
      left += square;
      if (left > rest_ * rest_) cost += of_term;
    }
    return cost;
  }

 private:
  static std::size_t index(Index begin, Index end) {
    return static_cast<std::size_t>(begin * (parts_of_all + 1) + end);
  }

  Index directions_;
  double rest_, of_a_term_;
  std::vector<VectorD> squares_;                  ///< of the singular values of every range of parts
  std::vector<std::pair<double, double>> terms_;  ///< square, cost
};

/// Calls fn(ends of ranges) for every way to cut the parts behind `begin` at most `cuts` times.
template <class Fn>
void for_each_cutting(std::vector<Index>& ends, Index begin, Index cuts, const Fn& fn) {
  ends.push_back(parts_of_all);
  fn(ends);
  ends.pop_back();
  if (cuts == 0) return;
  for (Index end = begin + 1; end < parts_of_all; ++end) {
    ends.push_back(end);
    for_each_cutting(ends, end, cuts - 1, fn);
    ends.pop_back();
  }
}

}  // namespace

std::vector<Range> ranges_of_terms(const VectorD& values, const std::vector<double>& alphas,
                                   const VectorD& row_weights, const VectorD& column_weights, double rest,
                                   double of_a_term) {
  if (values.size() < parts_of_all) return {{0, values.size()}};
  const Index count = std::ssize(alphas), taken = std::min(count, most_alphas);
  std::vector<double> some;
  VectorD weights_of_some(taken);
  for (Index i = 0; i < taken; ++i) {
    const Index a = i * count / taken;
    some.push_back(alphas[static_cast<std::size_t>(a)]);
    weights_of_some[i] =
        column_weights[a] * std::sqrt(static_cast<double>(count) / static_cast<double>(taken));
  }
  Costs costs(row_weights.asDiagonal() * inverses_of(values, some) * weights_of_some.asDiagonal(), rest,
              of_a_term);
  std::vector<Index> best, ends;
  double least = std::numeric_limits<double>::infinity();
  for_each_cutting(ends, 0, most_cuts, [&](const std::vector<Index>& tried) {
    const double cost = costs.of(tried);
    if (cost >= least) return;
    least = cost;
    best = tried;
  });
  std::vector<Range> ranges;
  Index begin = 0;
  for (const Index end : best) {
    ranges.push_back(costs.directions(begin, end));
    begin = end;
  }
  return ranges;
}

AlphaFamily::AlphaFamily(const VectorD& values, const std::vector<double>& alphas, const VectorD& row_weights,
                         const VectorD& column_weights, std::vector<Range> ranges)
    : ranges_(std::move(ranges)), inverses_(inverses_of(values, alphas)) {
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
