#include "cinecortex/encoding/stacking.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "cinecortex/core/interrupt.hpp"
#include "cinecortex/encoding/ridge.hpp"
#include "cinecortex/parallel/agree.hpp"
#include "cinecortex/parallel/grid.hpp"
#include "columns.hpp"
#include "nonnegative_qp.hpp"
#include "predictor_axes.hpp"
#include "stack_moments.hpp"

namespace cinecortex::encoding {
namespace {

using parallel::agree;
using Models = std::vector<Index>;

struct Method {
  enum class Kind { simplex, ridge, ols, nnls, mean, best } kind;
  /// From errors y - ŷ_k, which takes weights that sum to 1; the others from predictions and the truth, which is then
  /// the last variable.
  bool uses_errors() const { return kind == Kind::simplex || kind == Kind::mean || kind == Kind::best; }
};

Method parse_method(const std::string& name) {
  using Kind = Method::Kind;
  if (name == "simplex") return {Kind::simplex};
  if (name == "ridge") return {Kind::ridge};
  if (name == "ols") return {Kind::ols};
  if (name == "nnls") return {Kind::nnls};
  if (name == "mean") return {Kind::mean};
  if (name == "best") return {Kind::best};
  throw InputError(fmt::format("stacking method \"{}\" is unknown; there are: {}", name,
                               fmt::join(stacking_methods(), ", ")));
}

/// The models that are not missing.
Models present(const std::vector<Index>& missing, Index models) {
  Models kept;
  for (Index k = 0; k < models; ++k) {
    if (std::find(missing.begin(), missing.end(), k) == missing.end()) kept.push_back(k);
  }
  return kept;
}

/// All models first, then one entry a subset asked for.
std::vector<Models> model_sets(const std::vector<std::vector<Index>>& without, Index models) {
  if (models < 1) throw InputError("stacking: there is no base prediction; at least one is needed");
  std::vector<Models> sets{present({}, models)};
  for (const auto& missing : without) {
    for (const Index k : missing) {
      if (k >= 0 && k < models) continue;
      throw InputError(
          fmt::format("stacking: weights without model {}, but the models are 0 to {}", k, models - 1));
    }
    sets.push_back(present(missing, models));
    if (sets.back().empty()) {
      throw InputError(
          fmt::format("stacking: weights without models {} would leave none", fmt::join(missing, ", ")));
    }
  }
  return sets;
}

/// The data as they lie on this rank.
class StackProblem {
 public:
  StackProblem(const StackData& data, Method method, const parallel::Communicator& comm)
      : data_(data), method_(method), comm_(comm), grid_(comm, data.targets()) {
    const std::vector<Index> equal(static_cast<std::size_t>(data.blocks()), 1);
    blocks_local_ =
        parallel::deal_longest_first(equal, grid_.run_parts())[static_cast<std::size_t>(grid_.run_part())];
  }

  const parallel::Grid& grid() const noexcept { return grid_; }
  const parallel::Communicator& comm() const noexcept { return comm_; }
  Method method() const noexcept { return method_; }
  Index models() const { return data_.models(); }
  Index targets_local() const noexcept { return grid_.targets_local().size(); }

  /// The method's variables of each of this rank's blocks, [rows, t_col] each: fn(block, variables).
  /// Collective: over the communicator.
  template <class Fn>
  void stream(Fn&& fn) const {
    agree(comm_, [&] {
      for (const Index block : blocks_local_) {
        interrupt::check();
        fn(block, variables(block));
      }
    });
  }

  BlockMoments moments() const {
    BlockMoments result(data_.blocks(), targets_local(), models() + (method_.uses_errors() ? 0 : 1));
    stream([&](Index block, std::vector<MatrixD> values) { result.add(block, values); });
    grid_.run_axis().sum(numbers(result.rows()));
    grid_.run_axis().sum(numbers(result.packed()));
    return result;
  }

 private:
  std::vector<MatrixD> variables(Index block) const {
    auto [y, values] = data_.read(block, grid_.targets_local());
    check_block(block, y, values);
    if (method_.uses_errors()) {
      for (auto& prediction : values) prediction = y - prediction;
    } else {
      values.push_back(std::move(y));
    }
    return std::move(values);
  }

  void check_block(Index block, const MatrixD& y, const std::vector<MatrixD>& predictions) const {
    if (static_cast<Index>(predictions.size()) != models()) {
      throw InputError(fmt::format("stacking, {}: {} base predictions, but there are {} models",
                                   data_.name(block), predictions.size(), models()));
    }
    if (!y.allFinite()) {
      throw InputError(fmt::format("stacking, {}: the responses hold NaN or infinity", data_.name(block)));
    }
    for (std::size_t k = 0; k < predictions.size(); ++k) {
      const auto& prediction = predictions[k];
      if (prediction.rows() != y.rows() || prediction.cols() != y.cols()) {
        throw InputError(
            fmt::format("stacking, {}: prediction {} is [{}, {}], but the responses are [{}, {}]",
                        data_.name(block), k, prediction.rows(), prediction.cols(), y.rows(), y.cols()));
      }
      if (!prediction.allFinite()) {
        throw InputError(
            fmt::format("stacking, {}: prediction {} holds NaN or infinity", data_.name(block), k));
      }
    }
  }

  const StackData& data_;
  Method method_;
  const parallel::Communicator& comm_;
  parallel::Grid grid_;
  std::vector<Index> blocks_local_;
};

Combination error_weights(Method method, const Moments& moments, const Models& kept) {
  VectorD weights = VectorD::Zero(moments.mean.size());
  const auto count = static_cast<Index>(kept.size());
  if (method.kind == Method::Kind::mean) {
    weights(kept).setConstant(1.0 / static_cast<double>(count));
    return {weights, 0.0};
  }
  const MatrixD squares = moments.second()(kept, kept);
  if (method.kind == Method::Kind::best) {
    Index best = 0;
    squares.diagonal().minCoeff(&best);
    weights[kept[static_cast<std::size_t>(best)]] = 1.0;
  } else {
    weights(kept) = minimise_on_simplex(squares);
  }
  return {weights, 0.0};
}

Combination nonnegative_weights(const Moments& moments, const Models& kept) {
  const Index truth = moments.mean.size() - 1;
  const MatrixD second = moments.second();
  VectorD weights = VectorD::Zero(truth);
  weights(kept) = minimise_nonnegative(second(kept, kept), second(kept, truth));
  return {weights, 0.0};
}

/// @param alpha  for ridge
Combination combine(Method method, const Moments& moments, const Models& kept, double alpha) {
  switch (method.kind) {
    case Method::Kind::ridge:
      return PredictorAxes(moments, kept).combination(alpha);
    case Method::Kind::ols:
      return PredictorAxes(moments, kept).combination(0.0);
    case Method::Kind::nnls:
      return nonnegative_weights(moments, kept);
    default:
      return error_weights(method, moments, kept);
  }
}

/// Ridge: the alpha of each set of models and each target of this rank's grid column, [sets, t_col].
MatrixD ridge_alphas(const StackProblem& problem, const BlockMoments& moments,
                     const std::vector<Models>& sets) {
  const auto alphas = default_alphas();
  const auto count = static_cast<Index>(alphas.size());
  const auto set_count = static_cast<Index>(sets.size());
  MatrixD errors(set_count * count, problem.targets_local());
  std::vector<PredictorLeaveOneOut> passes;
  for (Index v = 0; v < problem.targets_local(); ++v) {
    const Moments total = moments.total(v);
    for (const auto& kept : sets) passes.emplace_back(PredictorAxes(total, kept), alphas);
  }
  problem.stream([&](Index, const std::vector<MatrixD>& variables) {
    if (variables.front().rows() == 0) return;
    for (Index v = 0; v < problem.targets_local(); ++v) {
      for (Index s = 0; s < set_count; ++s) {
        passes[static_cast<std::size_t>(v * set_count + s)].add(variables, v);
      }
    }
  });
  for (Index v = 0; v < problem.targets_local(); ++v) {
    for (Index s = 0; s < set_count; ++s) {
      errors.block(s * count, v, count, 1) = passes[static_cast<std::size_t>(v * set_count + s)].sums();
    }
  }
  problem.grid().run_axis().sum(numbers(errors));
  MatrixD chosen(set_count, problem.targets_local());
  for (Index v = 0; v < problem.targets_local(); ++v) {
    for (Index s = 0; s < set_count; ++s) {
      chosen(s, v) = choose_alpha(errors.block(s * count, v, count, 1), alphas, Better::lower);
    }
  }
  return chosen;
}

}  // namespace

bool weights_are_shares(const std::string& method) {
  return parse_method(method).uses_errors();
}

std::vector<std::string> stacking_methods() {
  return {"simplex", "ridge", "ols", "nnls", "mean", "best"};
}

StackFit fit_stack(const StackData& data, const std::string& method_name,
                   const std::vector<std::vector<Index>>& without, const parallel::Communicator& comm) {
  const Method method = parse_method(method_name);
  const auto sets = agree(comm, [&] { return model_sets(without, data.models()); });
  const StackProblem problem(data, method, comm);
  BlockMoments moments = problem.moments();
  const double rows = moments.rows().sum();
  if (rows < 2) {
    throw InputError(
        fmt::format("stacking: the runs have {:.0f} rows together; at least two are needed", rows));
  }
  const bool ridge = method.kind == Method::Kind::ridge;
  const MatrixD alphas = ridge ? ridge_alphas(problem, moments, sets)
                               : MatrixD::Zero(static_cast<Index>(sets.size()), problem.targets_local());

  const Range owned = problem.grid().targets_owned();
  const Index first = owned.begin - problem.grid().targets_local().begin;
  const MatrixD none = MatrixD::Zero(problem.models(), owned.size());
  const bool several = (moments.rows().array() > 0).count() > 1;
  StackFit fit;
  fit.targets_local = owned;
  fit.weights = none;
  fit.intercept = VectorD::Zero(owned.size());
  fit.weights_without.assign(without.size(), none);
  fit.intercept_without.assign(without.size(), fit.intercept);
  fit.loro_weights.assign(several ? static_cast<std::size_t>(data.blocks()) : 0, none);
  agree(comm, [&] {
    for (Index v = 0; v < owned.size(); ++v) {
      const Moments total = moments.total(first + v);
      for (std::size_t s = 0; s < sets.size(); ++s) {
        const auto [weights, intercept] =
            combine(method, total, sets[s], alphas(static_cast<Index>(s), first + v));
        (s == 0 ? fit.weights : fit.weights_without[s - 1]).col(v) = weights;
        (s == 0 ? fit.intercept : fit.intercept_without[s - 1])[v] = intercept;
      }
      if (!several) continue;
      const auto others = moments.without_each(first + v);
      for (std::size_t block = 0; block < others.size(); ++block) {
        fit.loro_weights[block].col(v) =
            combine(method, others[block], sets[0], alphas(0, first + v)).weights;
      }
    }
  });
  return fit;
}

}  // namespace cinecortex::encoding
