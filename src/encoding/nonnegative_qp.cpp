#include "nonnegative_qp.hpp"

#include <Eigen/Cholesky>
#include <Eigen/Eigenvalues>
#include <cmath>
#include <optional>
#include <vector>

#include "cinecortex/core/error.hpp"

namespace cinecortex::encoding {
namespace {

constexpr double convexity = 1e-12;       ///< added to the diagonal while the support is searched
constexpr double singular_below = 1e-11;  ///< eigenvalues relative to the largest that count as zero
constexpr double search_slack = 1e-13;    ///< of a multiplier, relative to the terms it is a sum of
constexpr double proof_slack = 1e-10;     ///< likewise, for the final check

/// ½ wᵀHw - cᵀw over w ≥ 0, and Σw = 1 where `on_simplex` (then c = 0). H's scale is 1.
struct Problem {
  MatrixD h;
  VectorD c;
  bool on_simplex;

  Index size() const { return c.size(); }
  VectorD gradient(const VectorD& w) const { return h * w - c; }
  /// The multiplier of Σw = 1.
  double level(const VectorD& w) const { return on_simplex ? w.dot(h * w) : 0.0; }
  /// What the rounding of each gradient entry is relative to.
  VectorD gradient_scale(const VectorD& w) const {
    return (h.cwiseAbs() * w.cwiseAbs() + c.cwiseAbs()).cwiseMax(on_simplex ? 1.0 : 0.0);
  }
};

using Support = std::vector<Index>;

MatrixD part(const MatrixD& matrix, const Support& support) {
  return matrix(support, support);
}

/// Minimiser among the vectors on `support`, w ≥ 0 not asked. @pre H is positive definite there.
VectorD minimise_on_support(const Problem& problem, const Support& support) {
  VectorD w = VectorD::Zero(problem.size());
  if (support.empty()) return w;
  const MatrixD h = part(problem.h, support);
  const VectorD right = problem.on_simplex ? VectorD::Ones(h.rows()) : VectorD(problem.c(support));
  const Eigen::LDLT<MatrixD> factors(h);
  VectorD solution = factors.solve(right);
  solution += factors.solve(right - h * solution);
  if (problem.on_simplex) solution /= solution.sum();
  w(support) = solution;
  return w;
}

/// Orthonormal columns that each sum to zero: the directions inside Σw = 1.
MatrixD directions_within_simplex(Index size) {
  MatrixD basis = MatrixD::Zero(size, size - 1);
  for (Index j = 1; j < size; ++j) {
    const double norm = std::sqrt(static_cast<double>(j * (j + 1)));
    basis.col(j - 1).head(j).setConstant(1.0 / norm);
    basis(j, j - 1) = -static_cast<double>(j) / norm;
  }
  return basis;
}

/// As minimise_on_support for any semi-definite H: of several minimisers the one of least norm.
VectorD least_norm_on_support(const Problem& problem, const Support& support) {
  const auto size = static_cast<Index>(support.size());
  const MatrixD h = part(problem.h, support);
  const VectorD c = problem.c(support);
  VectorD solution = VectorD::Constant(size, problem.on_simplex ? 1.0 / static_cast<double>(size) : 0.0);
  const MatrixD basis =
      problem.on_simplex ? directions_within_simplex(size) : MatrixD(MatrixD::Identity(size, size));
  if (basis.cols() > 0) {
    const Eigen::SelfAdjointEigenSolver<MatrixD> axes(basis.transpose() * h * basis);
    const double zero = singular_below * std::max(axes.eigenvalues().maxCoeff(), h.diagonal().maxCoeff());
    const VectorD inverse = (axes.eigenvalues().array() > zero)
                                .select(axes.eigenvalues().cwiseInverse(), VectorD::Zero(basis.cols()));
    for (int step = 0; step < 2; ++step) {  // the second refines the first
      const VectorD descent = axes.eigenvectors().transpose() * (basis.transpose() * (c - h * solution));
      solution += basis * (axes.eigenvectors() * inverse.cwiseProduct(descent));
    }
  }
  VectorD w = VectorD::Zero(problem.size());
  w(support) = solution;
  return w;
}

Support positive_entries(const VectorD& w) {
  Support support;
  for (Index k = 0; k < w.size(); ++k) {
    if (w[k] > 0) support.push_back(k);
  }
  return support;
}

/// Moves w from a positive point of `support` to its minimiser, dropping what would become negative.
void descend(const Problem& problem, Support& support, VectorD& w) {
  while (true) {
    const VectorD goal = minimise_on_support(problem, support);
    double step = 1.0;
    for (const Index k : support) {
      if (goal[k] <= 0) step = std::min(step, w[k] / (w[k] - goal[k]));
    }
    if (step >= 1.0 && positive_entries(goal).size() == support.size()) {
      w = goal;
      return;
    }
    Support kept;
    for (const Index k : support) {
      const double next = w[k] + step * (goal[k] - w[k]);
      const bool blocks = goal[k] <= 0 && w[k] / (w[k] - goal[k]) <= step;
      w[k] = blocks || next <= 0 ? 0.0 : next;
      if (w[k] > 0) kept.push_back(k);
    }
    support = std::move(kept);
  }
}

/// The model outside the support that lowers the objective most, if any does.
std::optional<Index> entering(const Problem& problem, const VectorD& w, const std::vector<bool>& barred) {
  const VectorD multiplier = (problem.gradient(w).array() - problem.level(w)).matrix();
  const VectorD scale = problem.gradient_scale(w);
  std::optional<Index> best;
  for (Index k = 0; k < w.size(); ++k) {
    if (w[k] > 0 || barred[static_cast<std::size_t>(k)] || multiplier[k] >= -search_slack * scale[k])
      continue;
    if (!best || multiplier[k] < multiplier[*best]) best = k;
  }
  return best;
}

/// Lawson and Hanson's active-set method for a strictly convex H: each new support lowers the objective, so
/// none comes twice and it ends.
VectorD search(const Problem& problem) {
  VectorD w = VectorD::Zero(problem.size());
  Support support;
  if (problem.on_simplex) {
    w.setConstant(1.0 / static_cast<double>(problem.size()));
    support = positive_entries(w);
    descend(problem, support, w);
  }
  const auto none = std::vector<bool>(static_cast<std::size_t>(problem.size()), false);
  auto barred = none;
  const Index most_steps = 100 * (problem.size() + 1);
  for (Index step = 0; step < most_steps; ++step) {
    const auto next = entering(problem, w, barred);
    if (!next) return w;
    Support wider = support;
    wider.push_back(*next);
    if (minimise_on_support(problem, wider)[*next] <= 0) {
      barred[static_cast<std::size_t>(*next)] = true;  // its multiplier was nothing but rounding
      continue;
    }
    barred = none;
    support = std::move(wider);
    // From zero the new entry can only grow; any positive start lets `descend` tell it from those that block.
    w[*next] = std::numeric_limits<double>::min();
    descend(problem, support, w);
  }
  throw NumericalError("quadratic program: the active set does not settle");
}

bool is_optimal(const Problem& problem, const VectorD& w) {
  if (!w.allFinite() || w.minCoeff() < 0) return false;
  if (problem.on_simplex && std::abs(w.sum() - 1.0) > proof_slack) return false;
  const VectorD multiplier = (problem.gradient(w).array() - problem.level(w)).matrix();
  const VectorD scale = problem.gradient_scale(w);
  for (Index k = 0; k < w.size(); ++k) {
    if (multiplier[k] < -proof_slack * scale[k]) return false;
    if (w[k] > 0 && multiplier[k] > proof_slack * scale[k]) return false;
  }
  return true;
}

/// Whether models on the support are linearly dependent, each measured in its own size.
bool is_singular(const Problem& problem, const Support& support) {
  const MatrixD h = part(problem.h, support);
  if (h.diagonal().minCoeff() <= 0) return true;
  const VectorD unit = h.diagonal().cwiseSqrt().cwiseInverse();
  const Eigen::SelfAdjointEigenSolver<MatrixD> axes(unit.asDiagonal() * h * unit.asDiagonal(),
                                                    Eigen::EigenvaluesOnly);
  return axes.eigenvalues().minCoeff() < singular_below;
}

/// The exact solution on the support that the search found; of several the one of least norm.
VectorD polish(const Problem& problem, const VectorD& found) {
  Support support = positive_entries(found);
  while (!support.empty()) {
    const VectorD w = is_singular(problem, support) ? least_norm_on_support(problem, support)
                                                    : minimise_on_support(problem, support);
    const Support positive = positive_entries(w);
    if (positive.size() == support.size()) return w;
    support = positive;
  }
  return VectorD::Zero(problem.size());
}

/// Solves for unit-scale H, which may be singular.
VectorD solve(const Problem& problem) {
  Problem convex = problem;
  convex.h.diagonal().array() += convexity;
  const VectorD found = search(convex);
  const VectorD exact = polish(problem, found);
  if (is_optimal(problem, exact)) return exact;
  // Where H mixes scales too wide for one eigendecomposition, the search itself is the better answer.
  if (is_optimal(problem, found)) return found;
  throw NumericalError("quadratic program: no weights satisfy the optimality conditions to 1e-10");
}

}  // namespace

VectorD minimise_on_simplex(const MatrixD& h) {
  // The best model sets the scale: a model with huge errors must not blur the choice among the others.
  double scale = 0;
  for (Index k = 0; k < h.rows(); ++k) {
    if (h(k, k) > 0 && (scale == 0 || h(k, k) < scale)) scale = h(k, k);
  }
  if (scale == 0) return VectorD::Constant(h.rows(), 1.0 / static_cast<double>(h.rows()));
  return solve({h / scale, VectorD::Zero(h.rows()), true});
}

VectorD minimise_nonnegative(const MatrixD& h, const VectorD& c) {
  VectorD unit(h.rows());  // models measured in their own size; one that is always zero stays out
  for (Index k = 0; k < h.rows(); ++k) unit[k] = h(k, k) > 0 ? 1.0 / std::sqrt(h(k, k)) : 0.0;
  const VectorD scaled_c = unit.cwiseProduct(c);
  const double size = scaled_c.cwiseAbs().maxCoeff();
  if (size == 0) return VectorD::Zero(h.rows());
  const MatrixD scaled_h = unit.asDiagonal() * h * unit.asDiagonal();
  return size * unit.cwiseProduct(solve({scaled_h, scaled_c / size, false}));
}

}  // namespace cinecortex::encoding
