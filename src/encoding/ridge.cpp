#include "cinecortex/encoding/ridge.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <memory>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "cinecortex/core/interrupt.hpp"
#include "cinecortex/core/log.hpp"
#include "cinecortex/encoding/held_out.hpp"
#include "decompose_each.hpp"
#include "k_fold.hpp"
#include "leave_group_out.hpp"
#include "leave_one_out.hpp"
#include "leave_out.hpp"
#include "source_views.hpp"
#include "spectral_form.hpp"
#include "target_tiles.hpp"

namespace cinecortex::encoding {
namespace {

struct Criterion {
  enum class Kind { loo, gcv, leave_one_group_out, k_fold, leave_one_season_out } kind;
  Index folds = 0;
  bool by_folds() const { return kind == Kind::k_fold || kind == Kind::leave_one_season_out; }
  Better better() const { return by_folds() ? Better::higher : Better::lower; }
  std::string cv_name(const std::string& measure) const {
    switch (kind) {
      case Kind::gcv:
        return "cv_gcv";
      case Kind::k_fold:
      case Kind::leave_one_season_out:
        return "cv_" + measure;
      case Kind::loo:
      case Kind::leave_one_group_out:
        break;
    }
    return "cv_mse";
  }
};

Index parse_folds(std::string_view digits) {
  Index folds = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), folds);
  if (error != std::errc() || end != digits.data() + digits.size() || folds < 2) {
    throw InputError("kfold:K takes a whole number K of at least 2, e.g. kfold:5");
  }
  return folds;
}

Criterion parse_criterion(const std::string& name) {
  using Kind = Criterion::Kind;
  if (name == "loo") return {Kind::loo};
  if (name == "gcv") return {Kind::gcv};
  if (name == "leave-one-run-out" || name == "leave-one-group-out") return {Kind::leave_one_group_out};
  if (name == "leave-one-season-out") return {Kind::leave_one_season_out};
  constexpr std::string_view k_fold = "kfold:";
  if (name.starts_with(k_fold))
    return {Kind::k_fold, parse_folds(std::string_view(name).substr(k_fold.size()))};
  throw InputError(fmt::format("the criterion is one of {}", fmt::join(ridge_criteria(), ", ")));
}

void require_several_blocks(const RidgeProblem& problem, const std::string& criterion) {
  Index with_rows = 0;
  for (Index block = 0; block < problem.blocks(); ++block) with_rows += problem.rows(block) > 0;
  if (with_rows >= 2) return;
  throw InputError(fmt::format(
      "criterion {}: there is only one run (or group), and leaving it out leaves nothing", criterion));
}

/// Mean squared residuals with whole blocks left out [A, t_owned], from one more pass over the data.
MatrixD left_out_group_errors(const RidgeProblem& problem, const SpectralForm& form,
                              const ProjectedTargets& targets, const std::vector<double>& alphas) {
  const VectorD mean_y = gather_targets(targets.mean_y, problem);
  LeaveOneGroupOut left_out(form.values(), gather_columns(targets.projection, problem), alphas,
                            problem.rows());
  const bool single = form.single_precision() && problem.y().single_precision();
  problem.stream([&](Index block) {
    if (single &&
        left_out.add_single(form.left_vectors<float>(block), problem.centred_y<float>(block, mean_y)))
      return;
    left_out.add(form.left_vectors<double>(block), problem.centred_y<double>(block, mean_y));
  });
  MatrixD errors = std::move(left_out.sums());
  problem.grid().run_axis().sum(numbers(errors));
  const Range owned = problem.owned();
  return errors.middleCols(owned.begin, owned.size()) / static_cast<double>(problem.rows());
}

/// Rows in the design's axes, Z = U Λ^½: r columns that hold all of x there is, where p > n. A column of zeros where x
/// does not vary at all.
class TurnedRows final : public BlockSource {
 public:
  TurnedRows(const BlockSource& x, const SpectralForm& form) : x_(x), form_(form) {}
  Index blocks() const override { return x_.blocks(); }
  Index rows(Index block) const override { return x_.rows(block); }
  Index columns() const override { return std::max<Index>(form_.rank(), 1); }
  MatrixD read(Index block, Range columns) const override {
    if (form_.rank() == 0) return MatrixD::Zero(rows(block), columns.size());
    const MatrixD rows = form_.left_vectors<double>(block) * form_.values().cwiseSqrt().asDiagonal();
    return rows.middleCols(columns.begin, columns.size());
  }
  using BlockSource::read;
  std::string name(Index block) const override { return x_.name(block); }

 private:
  const BlockSource& x_;
  const SpectralForm& form_;
};

/// Sums of the rows of every fold, and of all rows; where there is one fold, only the latter.
struct FoldSums {
  FoldSums() = default;
  explicit FoldSums(std::vector<Statistics> parts) : folds(std::move(parts)) {
    if (folds.size() == 1) {
      total = std::move(folds[0]);
      folds.clear();
      return;
    }
    total = sum_of(folds);
  }

  std::vector<Statistics> folds;
  Statistics total;
};

/// Fits blocks of targets on one design: what depends on the design alone is made for the first block and kept.
class Solver {
 public:
  Solver(const BlockSource& x, const RidgeOptions& options, Index cache_bytes,
         const parallel::Communicator& comm, RidgeSums* sums)
      : x_(x),
        options_(options),
        criterion_(parse_criterion(options.criterion)),
        cache_bytes_(cache_bytes),
        comm_(comm),
        sums_(sums) {}

  /// @param y        the targets `columns` of all
  /// @param alpha    shared by all targets; without it the options decide
  RidgeFit fit(const BlockSource& y, Range columns, std::optional<double> alpha) {
    const RidgeProblem problem(x_, y, comm_);
    columns_ = columns;
    const std::vector<Fold> folds = check_blocks(problem);
    FoldSums sums;
    const ProjectedTargets targets = project(problem, folds, sums);
    if (!criterion_.by_folds()) sums = {};

    RidgeFit fit;
    fit.targets_local = problem.grid().targets_owned();
    fit.targets_global = problem.targets_global();
    fit.rows = problem.rows();
    fit.form = form_->name();
    fit.cv_name = criterion_.cv_name(options_.measure);
    fit.cv = evaluate(problem, targets, sums, fit);
    sums = {};  // room for the weights
    parallel::agree(comm_, [&] {
      if (!fit.cv.allFinite()) throw NumericalError("ridge: the cross-validation curve is not finite");
    });
    fit.alpha =
        alpha ? VectorD::Constant(fit.cv.cols(), *alpha) : choose_alphas(fit.cv, problem.targets_global());
    fit.weights = form_->weights(problem, targets.projection, fit.alpha);
    fit.intercept = targets.mean_y;
    for_each_tile(fit.weights.cols(), [&](Range some) {
      fit.intercept.segment(some.begin, some.size()) -=
          fit.weights.middleCols(some.begin, some.size()).transpose() * form_->mean_x();
    });
    return fit;
  }

  double best_of(const VectorD& curve) const {
    return choose_alpha(curve, options_.alphas, criterion_.better());
  }

 private:
  std::vector<Fold> check_blocks(const RidgeProblem& problem) const {
    using Kind = Criterion::Kind;
    if (criterion_.kind == Kind::leave_one_group_out) require_several_blocks(problem, options_.criterion);
    if (criterion_.kind == Kind::k_fold) return contiguous_folds(problem, criterion_.folds);
    if (criterion_.kind == Kind::leave_one_season_out) return labelled_folds(problem, options_.season_of);
    Fold all;
    for (Index block = 0; block < problem.blocks(); ++block) all.push_back({0, problem.rows(block)});
    return {all};
  }

  ProjectedTargets project(const RidgeProblem& problem, const std::vector<Fold>& folds, FoldSums& sums) {
    if (problem.columns() <= problem.rows()) return project_primal(problem, folds, sums);
    if (!form_) form_ = std::make_unique<DualForm>(problem);
    const auto& form = static_cast<const DualForm&>(*form_);
    if (criterion_.by_folds()) {
      sums = FoldSums(fold_statistics(problem, TurnedRows(x_, form), folds,
                                      {.gram = fold_grams_.empty(), .single = false}));
    }
    return form.project(problem);
  }

  ProjectedTargets project_primal(const RidgeProblem& problem, const std::vector<Fold>& folds,
                                  FoldSums& sums) {
    const bool first = !form_;
    const bool single = single_ && x_.single_precision() && problem.y().single_precision();
    sums = FoldSums(sums_of_rows(problem, folds, {.gram = first, .single = single}));
    if (first) {
      auto form = std::make_unique<PrimalForm>(x_, sums.total, single, comm_);
      if (!criterion_.by_folds()) sums.total.gram = {};
      if (single && !resolved_by_single(form->values(), problem.columns())) {
        if (comm_.root()) {
          log::info(
              "ridge: the smallest direction of x has a variance below 1e-6 of the largest: adding up again "
              "in "
              "float64");
        }
        single_ = false;
        return project_primal(problem, folds, sums);
      }
      form_ = std::move(form);
    }
    return static_cast<const PrimalForm&>(*form_).project(sums.total);
  }

  std::vector<Statistics> sums_of_rows(const RidgeProblem& problem, const std::vector<Fold>& folds,
                                       LaggedStatistics::Wanted wanted) {
    const auto fold_of = sums_ == nullptr ? std::nullopt : folds_of_blocks(problem, folds);
    if (!fold_of) return fold_statistics(problem, x_, folds, wanted);
    auto parts = sums_->of_folds(*fold_of, static_cast<Index>(folds.size()), columns_, wanted);
    if (parts.empty()) return fold_statistics(problem, x_, folds, wanted);
    Index rows = 0;
    for (const auto& part : parts) rows += part.rows;
    if (rows != problem.rows()) {
      throw Error(fmt::format("internal: sums of {} rows for a fit of {}", rows, problem.rows()));
    }
    return parts;
  }

  /// The criterion's value for every alpha and target of this rank: [A, t_owned].
  MatrixD evaluate(const RidgeProblem& problem, const ProjectedTargets& targets, FoldSums& sums,
                   RidgeFit& fit) {
    using Kind = Criterion::Kind;
    const auto& alphas = options_.alphas;
    switch (criterion_.kind) {
      case Kind::loo: {
        if (!leverages_ || !leverages_->dealt_alike(problem))
          leverages_.emplace(problem, *form_, alphas, cache_bytes_);
        LeaveOneOutCurve curve = leave_one_out(problem, *form_, *leverages_, targets, alphas);
        fit.cv_error_bound = curve.bound;
        fit.passes = curve.products;
        fit.exact_rows = curve.exact_rows;
        return std::move(curve.mse);
      }
      case Kind::gcv:
        return generalised_cross_validation(form_->values(), targets.projection, targets.squares_y, alphas,
                                            problem.rows());
      case Kind::leave_one_group_out:
        return left_out_group_errors(problem, *form_, targets, alphas);
      case Kind::k_fold:
      case Kind::leave_one_season_out:
        break;
    }
    return evaluate_folds(sums);
  }

  /// Mean over folds of what the fits on the other folds explain; every fold is decomposed by itself.
  MatrixD evaluate_folds(FoldSums& sums) {
    if (fold_pairs_.empty()) decompose_folds(sums);
    MatrixD mean;
    parallel::agree(comm_, [&] {
      for (std::size_t f = 0; f < sums.folds.size(); ++f) {
        interrupt::check();
        std::swap(sums.folds[f].gram, fold_grams_[f]);
        const HeldOut result = fold_scores(sums.total, sums.folds[f], fold_pairs_[f]);
        std::swap(sums.folds[f].gram, fold_grams_[f]);
        const MatrixD& scores = options_.measure == "r" ? result.r : result.r2;
        mean = f == 0 ? scores : MatrixD(mean + scores);
      }
    });
    return mean / static_cast<double>(sums.folds.size());
  }

  HeldOut fold_scores(const Statistics& total, const Statistics& fold,
                      const linalg::EigenPairs& pairs) const {
    const CentredStatistics rest(total, fold);
    return held_out(RidgeAxes(rest, pairs), rest, fold, options_.alphas,
                    form_->single_precision() ? Products::single : Products::whole);
  }

  /// Takes the folds' Gram matrices, which further blocks of targets need too.
  void decompose_folds(FoldSums& sums) {
    auto& folds = sums.folds;
    const Index columns = folds[0].columns();
    const Index at_once = side_by_side(columns, folds[0].targets(), static_cast<double>(cache_bytes_), comm_);
    decompose_each(
        std::ssize(folds), columns, at_once,
        [&](Index i) { return CentredStatistics(sums.total, folds[static_cast<std::size_t>(i)]).gram(); },
        comm_,
        [&](Index, std::vector<linalg::EigenPairs> pairs) {
          for (auto& each : pairs) fold_pairs_.push_back(std::move(each));
        });
    for (auto& fold : folds) fold_grams_.push_back(std::exchange(fold.gram, {}));
    sums.total.gram = {};
  }

  /// One alpha for each of this rank's targets.   Collective: over comm_.
  VectorD choose_alphas(const MatrixD& cv, Index targets_global) const {
    VectorD chosen(cv.cols());
    if (options_.per_target) {
      for (Index v = 0; v < cv.cols(); ++v) chosen[v] = best_of(cv.col(v));
      return chosen;
    }
    VectorD total = cv.rowwise().sum();
    comm_.sum(numbers(total));
    comm_.broadcast(numbers(total));
    if (targets_global > 0) chosen.setConstant(best_of(total / static_cast<double>(targets_global)));
    return chosen;
  }

  const BlockSource& x_;
  const RidgeOptions& options_;
  Criterion criterion_;
  Index cache_bytes_;
  const parallel::Communicator& comm_;
  RidgeSums* sums_;
  Range columns_;  ///< of the targets being fitted
  bool single_ = true;
  std::unique_ptr<SpectralForm> form_;
  std::optional<Leverages> leverages_;
  std::vector<MatrixD> fold_grams_;
  std::vector<linalg::EigenPairs> fold_pairs_;
};

}  // namespace

std::vector<double> default_alphas() {
  return {1e6, 1e5, 1e4, 1e3, 100, 10, 1, 0.5, 0.1, 0.05, 0.01, 0.005, 0.001, 1e-4, 1e-5};
}

std::vector<std::string> ridge_criteria() {
  return {"loo", "gcv", "leave-one-run-out", "leave-one-group-out", "leave-one-season-out", "kfold:K"};
}

Index kfold_count(const std::string& criterion) {
  const Criterion parsed = parse_criterion(criterion);
  return parsed.kind == Criterion::Kind::k_fold ? parsed.folds : 0;
}

Index fold_count(const RidgeOptions& options) {
  const Criterion criterion = parse_criterion(options.criterion);
  if (criterion.kind == Criterion::Kind::k_fold) return criterion.folds;
  if (criterion.kind != Criterion::Kind::leave_one_season_out) return 1;
  return std::ssize(std::set<Index>(options.season_of.begin(), options.season_of.end()));
}

bool leaves_blocks_out(const std::string& criterion) {
  return parse_criterion(criterion).kind == Criterion::Kind::leave_one_group_out;
}

EdgeHits edge_hits(const std::vector<double>& alphas, const std::vector<std::int64_t>& chosen) {
  const auto [low, high] = std::minmax_element(alphas.begin(), alphas.end());
  if (*low == *high) return {};
  return {chosen[static_cast<std::size_t>(low - alphas.begin())],
          chosen[static_cast<std::size_t>(high - alphas.begin())]};
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
  if (options.measure != "r2" && options.measure != "r") {
    throw InputError(fmt::format("measure \"{}\": folds are compared by r2 or by r", options.measure));
  }
}

RidgeFit fit_ridge(const BlockSource& x, const BlockSource& y, const RidgeOptions& options,
                   const parallel::Communicator& comm) {
  RidgeFit all;
  fit_ridge(x, y, options, {}, comm, [&](RidgeFit fit) { all = std::move(fit); });
  return all;
}

void fit_ridge(const BlockSource& x, const BlockSource& y, const RidgeOptions& options,
               const RidgeBudget& budget, const parallel::Communicator& comm,
               const std::function<void(RidgeFit)>& take, RidgeSums* sums) {
  check(options);
  const Index targets = y.columns();
  const Index most = budget.targets_at_once > 0 ? budget.targets_at_once : std::max<Index>(targets, 1);
  const Index parts = std::max<Index>(1, (targets + most - 1) / most);
  Solver solver(x, options, budget.cache_bytes, comm, sums);
  std::optional<double> shared;
  if (!options.per_target && parts > 1) {
    VectorD total = VectorD::Zero(static_cast<Index>(options.alphas.size()));
    for (Index part = 0; part < parts; ++part) {
      const Range columns = partition(targets, parts, part);
      total += solver.fit(ColumnsOf(y, columns), columns, {}).cv.rowwise().sum();
    }
    comm.sum(numbers(total));
    comm.broadcast(numbers(total));
    shared = solver.best_of(total / static_cast<double>(targets));
  }
  for (Index part = 0; part < parts; ++part) {
    const Range columns = partition(targets, parts, part);
    RidgeFit fit =
        parts == 1 ? solver.fit(y, columns, shared) : solver.fit(ColumnsOf(y, columns), columns, shared);
    fit.targets_local = {columns.begin + fit.targets_local.begin, columns.begin + fit.targets_local.end};
    fit.targets_global = targets;
    take(std::move(fit));
  }
}

}  // namespace cinecortex::encoding
