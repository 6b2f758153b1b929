#include "cinecortex/encoding/ridge.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string_view>

#include "k_fold.hpp"
#include "leave_out.hpp"
#include "spectral_form.hpp"

namespace cinecortex::encoding {
namespace {

struct Criterion {
  enum class Kind { loo, gcv, leave_one_group_out, k_fold } kind;
  Index folds = 0;
  Better better() const { return kind == Kind::k_fold ? Better::higher : Better::lower; }
  const char* cv_name() const {
    switch (kind) {
      case Kind::gcv:
        return "cv_gcv";
      case Kind::k_fold:
        return "cv_r2";
      case Kind::loo:
      case Kind::leave_one_group_out:
        break;
    }
    return "cv_mse";
  }
};

Index parse_folds(const std::string& criterion, std::string_view digits) {
  Index folds = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), folds);
  if (error != std::errc() || end != digits.data() + digits.size() || folds < 2) {
    throw InputError(fmt::format(
        "criterion {}: the number of folds is a whole number of at least 2, e.g. kfold:5", criterion));
  }
  return folds;
}

Criterion parse_criterion(const std::string& name) {
  using Kind = Criterion::Kind;
  if (name == "loo") return {Kind::loo};
  if (name == "gcv") return {Kind::gcv};
  if (name == "leave-one-run-out" || name == "leave-one-group-out") return {Kind::leave_one_group_out};
  constexpr std::string_view k_fold = "kfold:";
  if (name.starts_with(k_fold))
    return {Kind::k_fold, parse_folds(name, std::string_view(name).substr(k_fold.size()))};
  throw InputError(
      fmt::format("criterion \"{}\" is unknown; there are: {}", name, fmt::join(ridge_criteria(), ", ")));
}

void require_several_blocks(const RidgeProblem& problem, const std::string& criterion) {
  Index with_rows = 0;
  for (Index block = 0; block < problem.blocks(); ++block) with_rows += problem.rows(block) > 0;
  if (with_rows >= 2) return;
  throw InputError(fmt::format(
      "criterion {}: there is only one run (or group), and leaving it out leaves nothing", criterion));
}

/// Mean squared left-out residuals [A, t_col], from one more pass over the data.
template <class LeaveOut>
MatrixD left_out_errors(const RidgeProblem& problem, const SpectralForm& form,
                        const std::vector<double>& alphas) {
  LeaveOut left_out(form.values(), form.projection(), alphas, problem.rows());
  problem.stream(
      [&](Index block) { left_out.add(form.left_vectors(block), problem.centred_y(block, form.mean_y())); });
  MatrixD errors = std::move(left_out.sums());
  problem.grid().run_axis().sum(numbers(errors));
  return errors / static_cast<double>(problem.rows());
}

/// The criterion's value for every alpha and target of this rank's grid column: [A, t_col].
MatrixD evaluate(const Criterion& criterion, const RidgeProblem& problem, const SpectralForm& form,
                 const RidgeOptions& options) {
  switch (criterion.kind) {
    case Criterion::Kind::loo:
      return left_out_errors<LeaveOneOut>(problem, form, options.alphas);
    case Criterion::Kind::gcv:
      return generalised_cross_validation(form.values(), form.projection(), form.squares_y(), options.alphas,
                                          problem.rows());
    case Criterion::Kind::leave_one_group_out:
      return left_out_errors<LeaveOneGroupOut>(problem, form, options.alphas);
    case Criterion::Kind::k_fold:
      break;
  }
  return k_fold_r2(problem, form, options.alphas, contiguous_folds(problem, criterion.folds));
}

/// One alpha a target of this rank's grid column [t_col].   Collective: over the problem's communicator.
VectorD choose_alphas(const MatrixD& cv, const Criterion& criterion, const RidgeProblem& problem,
                      const RidgeOptions& options) {
  VectorD chosen(cv.cols());
  if (options.per_target) {
    for (Index v = 0; v < cv.cols(); ++v) {
      chosen[v] = choose_alpha(cv.col(v), options.alphas, criterion.better());
    }
    return chosen;
  }
  const Range owned = problem.owned();
  VectorD total = cv.middleCols(owned.begin, owned.size()).rowwise().sum();
  problem.comm().sum(numbers(total));
  if (problem.targets_global() == 0) return chosen;
  const VectorD mean = total / static_cast<double>(problem.targets_global());
  chosen.setConstant(choose_alpha(mean, options.alphas, criterion.better()));
  return chosen;
}

/// λ/(λ+α) ∘ ŷ, each target with its own alpha.
MatrixD shrink(const SpectralForm& form, const VectorD& alpha) {
  MatrixD shrunk = form.projection();
  for (Index j = 0; j < form.rank(); ++j) {
    shrunk.row(j).array() *= form.values()[j] / (form.values()[j] + alpha.transpose().array());
  }
  return shrunk;
}

void count_edges(RidgeFit& fit, const RidgeOptions& options, const parallel::Communicator& comm) {
  const auto [low, high] = std::minmax_element(options.alphas.begin(), options.alphas.end());
  if (*low == *high) return;
  fit.edge_low = comm.sum(std::int64_t{(fit.alpha.array() == *low).count()});
  fit.edge_high = comm.sum(std::int64_t{(fit.alpha.array() == *high).count()});
}

}  // namespace

std::vector<double> default_alphas() {
  return {1e6, 1e5, 1e4, 1e3, 100, 10, 1, 0.5, 0.1, 0.05, 0.01, 0.005, 0.001, 1e-4, 1e-5};
}

std::vector<std::string> ridge_criteria() {
  return {"loo", "gcv", "leave-one-run-out", "leave-one-group-out", "kfold:K"};
}

void check(const RidgeOptions& options) {
  if (options.alphas.empty())
    throw InputError("alphas: the list is empty; give at least one, e.g. [1, 10, 100]");
  for (const double alpha : options.alphas) {
    if (std::isfinite(alpha) && alpha >= 0) continue;
    throw InputError(
        fmt::format("alphas: {} is not allowed; every alpha is a finite number of at least 0", alpha));
  }
  parse_criterion(options.criterion);
}

RidgeFit fit_ridge(const BlockSource& x, const BlockSource& y, const RidgeOptions& options,
                   const parallel::Communicator& comm) {
  check(options);
  const Criterion criterion = parse_criterion(options.criterion);
  const RidgeProblem problem(x, y, comm);
  // What the criterion asks of the data is known before the costly part.
  if (criterion.kind == Criterion::Kind::leave_one_group_out)
    require_several_blocks(problem, options.criterion);
  if (criterion.kind == Criterion::Kind::k_fold) contiguous_folds(problem, criterion.folds);

  const auto form = decompose(problem);
  MatrixD cv = evaluate(criterion, problem, *form, options);
  // Ranks of a grid column choose for the same targets: from the very same numbers.
  problem.grid().run_axis().broadcast(numbers(cv));
  parallel::agree(comm, [&] {
    if (!cv.allFinite()) throw NumericalError("ridge: the cross-validation curve is not finite");
  });
  const VectorD alpha = choose_alphas(cv, criterion, problem, options);

  const Range owned = problem.owned();
  RidgeFit fit;
  fit.targets_local = problem.grid().targets_owned();
  fit.targets_global = problem.targets_global();
  fit.rows = problem.rows();
  fit.alpha = alpha.segment(owned.begin, owned.size());
  fit.cv = cv.middleCols(owned.begin, owned.size());
  fit.cv_name = criterion.cv_name();
  fit.weights = form->weights(shrink(*form, alpha));
  fit.intercept =
      form->mean_y().segment(owned.begin, owned.size()) - fit.weights.transpose() * form->mean_x();
  fit.form = form->name();
  count_edges(fit, options, comm);
  return fit;
}

}  // namespace cinecortex::encoding
