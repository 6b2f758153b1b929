#include <gtest/gtest.h>

#include <Eigen/QR>

#include "../../src/encoding/nonnegative_qp.hpp"
#include "cinecortex/core/error.hpp"
#include "cinecortex/encoding/ridge.hpp"
#include "cinecortex/encoding/stacking.hpp"
#include "random_matrix.hpp"
#include "text_matrices.hpp"

namespace cinecortex::encoding {
namespace {

using parallel::Communicator;
using Rows = std::vector<Index>;

class MemoryStack final : public StackData {
 public:
  MemoryStack(MatrixD y, std::vector<MatrixD> predictions, const Rows& block_rows)
      : y_(std::move(y)), predictions_(std::move(predictions)), begins_{0} {
    for (const Index rows : block_rows) begins_.push_back(begins_.back() + rows);
  }
  Index blocks() const override { return static_cast<Index>(begins_.size()) - 1; }
  Index models() const override { return static_cast<Index>(predictions_.size()); }
  Index targets() const override { return y_.cols(); }
  std::string name(Index block) const override { return "run " + std::to_string(block); }
  Block read(Index block, Range targets) const override {
    if (block == failing_block) throw InputError("prediction.h5: run 1 cannot be read");
    const auto part = [&](const MatrixD& all) -> MatrixD {
      const Index first = begins_[static_cast<std::size_t>(block)];
      return all.block(first, targets.begin, begins_[static_cast<std::size_t>(block) + 1] - first,
                       targets.size());
    };
    Block result{part(y_), {}};
    for (const auto& prediction : predictions_) result.predictions.push_back(part(prediction));
    return result;
  }
  Index failing_block = -1;

 private:
  MatrixD y_;
  std::vector<MatrixD> predictions_;
  Rows begins_;
};

struct Data {
  MatrixD y;
  std::vector<MatrixD> predictions;
  Rows block_rows;
  MemoryStack source() const { return {y, predictions, block_rows}; }
  MatrixD design(Index target) const {
    MatrixD x(y.rows(), static_cast<Index>(predictions.size()));
    for (std::size_t k = 0; k < predictions.size(); ++k)
      x.col(static_cast<Index>(k)) = predictions[k].col(target);
    return x;
  }
};

Data random_data(Index targets, Rows block_rows, unsigned seed) {
  Index rows = 0;
  for (const Index block : block_rows) rows += block;
  Data data{random_matrix(rows, targets, seed), {}, std::move(block_rows)};
  for (unsigned k = 0; k < 4; ++k) {
    data.predictions.push_back((0.2 + 0.2 * k) * data.y + 0.6 * random_matrix(rows, targets, seed + 1 + k));
    data.predictions.back().array() += 3.0;
  }
  data.y.array() += 3.0;
  return data;
}

MatrixD own_columns(const MatrixD& all, const StackFit& fit) {
  return all.middleCols(fit.targets_local.begin, fit.targets_local.size());
}

double largest(const MatrixD& difference) {
  return difference.size() == 0 ? 0.0 : difference.cwiseAbs().maxCoeff();
}

/// The simplex weights of the rows that `keep` marks, from their definition.
MatrixD plain_simplex(const Data& data, const std::vector<bool>& keep) {
  MatrixD weights(static_cast<Index>(data.predictions.size()), data.y.cols());
  for (Index v = 0; v < data.y.cols(); ++v) {
    MatrixD p = MatrixD::Zero(weights.rows(), weights.rows());
    double rows = 0;
    const MatrixD x = data.design(v);
    for (Index i = 0; i < data.y.rows(); ++i) {
      if (!keep[static_cast<std::size_t>(i)]) continue;
      const VectorD error = (data.y(i, v) - x.row(i).array()).matrix().transpose();
      p += error * error.transpose();
      rows += 1;
    }
    weights.col(v) = minimise_on_simplex(p / rows);
  }
  return weights;
}

TEST(Stack, SimplexWeightsAreThoseOfAllRowsAndOfEachRunLeftOut) {
  const auto comm = Communicator::world();
  for (const Index targets : {1, 5, 131}) {
    const Data data = random_data(targets, {20, 0, 11, 7, 16}, 1);
    const auto fit = fit_stack(data.source(), "simplex", {}, comm);
    EXPECT_EQ(fit.targets_local, partition(targets, comm.size(), comm.rank()));
    EXPECT_EQ(fit.intercept, VectorD::Zero(fit.targets_local.size()));
    std::vector<bool> keep(54, true);
    EXPECT_LT(largest(fit.weights - own_columns(plain_simplex(data, keep), fit)), 1e-9);
    EXPECT_EQ(fit.loro_weights.size(), 5U);
    Index first = 0;
    for (std::size_t block = 0; block < fit.loro_weights.size(); ++block) {
      for (Index i = 0; i < 54; ++i) {
        keep[static_cast<std::size_t>(i)] = i < first || i >= first + data.block_rows[block];
      }
      first += data.block_rows[block];
      EXPECT_LT(largest(fit.loro_weights[block] - own_columns(plain_simplex(data, keep), fit)), 1e-9);
    }
  }
}

TEST(Stack, OneRunHasNoneToLeaveOut) {
  const auto comm = Communicator::world();
  EXPECT_TRUE(fit_stack(random_data(3, {20}, 2).source(), "simplex", {}, comm).loro_weights.empty());
  EXPECT_TRUE(fit_stack(random_data(3, {20, 0}, 2).source(), "ols", {}, comm).loro_weights.empty());
}

TEST(Stack, EqualsScipyAndScikitLearn) {
  const auto comm = Communicator::world();
  const auto fixture = read_text_matrices("parity/ridge/stack.txt");
  Data data{fixture.at("y"), {}, as_indices(fixture.at("block_rows"))};
  for (int k = 0; k < 4; ++k) data.predictions.push_back(fixture.at("prediction" + std::to_string(k)));
  const auto source = data.source();
  const auto expect = [&](const StackFit& fit, const MatrixD& value, const std::string& name,
                          double tolerance) {
    EXPECT_LT(largest(value - own_columns(fixture.at(name), fit)), tolerance) << name;
  };

  const auto simplex = fit_stack(source, "simplex", {{1}}, comm);
  expect(simplex, simplex.weights, "simplex", 1e-8);
  ASSERT_EQ(simplex.weights_without.size(), 1U);
  const MatrixD without = simplex.weights_without[0](Rows{0, 2, 3}, Eigen::all);
  expect(simplex, without, "simplex_without_1", 1e-8);
  EXPECT_EQ(largest(simplex.weights_without[0].row(1)), 0.0);
  ASSERT_EQ(simplex.loro_weights.size(), 3U);
  for (std::size_t b = 0; b < 3; ++b) {
    expect(simplex, simplex.loro_weights[b], "simplex_loro" + std::to_string(b), 1e-8);
  }

  const auto ols = fit_stack(source, "ols", {}, comm);
  expect(ols, ols.weights, "ols", 1e-8);
  expect(ols, ols.intercept.transpose(), "ols_intercept", 1e-7);

  const auto ridge = fit_stack(source, "ridge", {{1}}, comm);
  expect(ridge, ridge.weights, "ridge", 1e-8);
  expect(ridge, ridge.intercept.transpose(), "ridge_intercept", 1e-7);
  const MatrixD ridge_without = ridge.weights_without[0](Rows{0, 2, 3}, Eigen::all);
  expect(ridge, ridge_without, "ridge_without_1", 1e-8);

  const auto nnls = fit_stack(source, "nnls", {}, comm);
  expect(nnls, nnls.weights, "nnls", 1e-8);
  EXPECT_EQ(nnls.intercept, VectorD::Zero(nnls.targets_local.size()));
}

TEST(Stack, RidgeIsTheRidgeOfTheOtherRoomWithThePredictionsAsColumns) {
  const auto comm = Communicator::world();
  const Data data = random_data(3, {14, 9, 20}, 3);
  const auto fit = fit_stack(data.source(), "ridge", {}, comm);
  for (Index v = 0; v < 3; ++v) {
    const auto plain = fit_ridge(MemorySource(data.design(v)), MemorySource(MatrixD(data.y.col(v))),
                                 {.alphas = default_alphas()}, comm.split(comm.rank(), 0));
    const Index own = v - fit.targets_local.begin;
    if (own < 0 || own >= fit.targets_local.size()) continue;
    EXPECT_LT(largest(fit.weights.col(own) - plain.weights.col(0)), 1e-9);
    EXPECT_NEAR(fit.intercept[own], plain.intercept[0], 1e-9);
  }
}

TEST(Stack, RidgeLeavesRunsOutWithTheAlphaOfTheWholeFit) {
  const auto comm = Communicator::world();
  const Data data = random_data(2, {14, 9, 20}, 4);
  const auto fit = fit_stack(data.source(), "ridge", {}, comm);
  ASSERT_EQ(fit.loro_weights.size(), 3U);
  for (Index v = 0; v < 2; ++v) {
    const auto alone = comm.split(comm.rank(), 0);
    const MatrixD x = data.design(v);
    const MatrixD y = data.y.col(v);
    const auto whole = fit_ridge(MemorySource(x), MemorySource(y), {.alphas = default_alphas()}, alone);
    const auto rest = fit_ridge(MemorySource(x.topRows(23)), MemorySource(y.topRows(23)),
                                {.alphas = {whole.alpha[0]}}, alone);
    const Index own = v - fit.targets_local.begin;
    if (own < 0 || own >= fit.targets_local.size()) continue;
    EXPECT_LT(largest(fit.loro_weights[2].col(own) - rest.weights.col(0)), 1e-9);
  }
}

TEST(Stack, BestAndMean) {
  const auto comm = Communicator::world();
  const Data data = random_data(4, {20, 21}, 5);
  const auto mean = fit_stack(data.source(), "mean", {{0, 2}}, comm);
  EXPECT_LT(largest(mean.weights.array() - 0.25), 1e-15);
  for (Index v = 0; v < mean.weights.cols(); ++v) {
    EXPECT_EQ(mean.weights_without[0].col(v), (VectorD{{0.0, 0.5, 0.0, 0.5}}));
  }
  const auto best = fit_stack(data.source(), "best", {}, comm);
  for (Index v = 0; v < best.weights.cols(); ++v) {
    const Index target = best.targets_local.begin + v;
    Index least = 0;
    (data.design(target).colwise() - data.y.col(target)).colwise().squaredNorm().minCoeff(&least);
    EXPECT_EQ(best.weights.col(v), VectorD(VectorD::Unit(4, least)));
  }
}

TEST(Stack, EqualAndConstantModelsAreHandledByEveryMethod) {
  const auto comm = Communicator::world();
  Data data = random_data(3, {20, 21}, 6);
  data.predictions[2] = data.predictions[0];
  data.predictions[3].setConstant(2.5);
  for (const auto& method : stacking_methods()) {
    const auto fit = fit_stack(data.source(), method, {{3}, {0, 1, 2}}, comm);
    EXPECT_TRUE(fit.weights.allFinite()) << method;
    EXPECT_TRUE(fit.intercept.allFinite()) << method;
    if (method != "best") {
      EXPECT_LT(largest(fit.weights.row(0) - fit.weights.row(2)), 1e-9) << method;
    }
    EXPECT_EQ(largest(fit.weights_without[1].topRows(3)), 0.0) << method;
  }
  const auto simplex = fit_stack(data.source(), "simplex", {{0, 1, 2}}, comm);
  EXPECT_EQ(largest(simplex.weights_without[0].row(3).array() - 1.0), 0.0);
}

TEST(Stack, NonnegativeLeastSquaresIsOptimal) {
  const auto comm = Communicator::world();
  for (unsigned seed = 10; seed < 30; ++seed) {
    Data data = random_data(6, {9, 8}, seed);
    data.predictions[1] *= -1.0;
    const auto fit = fit_stack(data.source(), "nnls", {}, comm);
    for (Index v = 0; v < fit.weights.cols(); ++v) {
      const Index target = fit.targets_local.begin + v;
      const MatrixD x = data.design(target);
      const VectorD w = fit.weights.col(v);
      const VectorD gradient = x.transpose() * (x * w - data.y.col(target));
      const double size = (x.transpose() * data.y.col(target)).cwiseAbs().maxCoeff();
      EXPECT_GE(w.minCoeff(), 0.0);
      for (Index k = 0; k < 4; ++k) {
        EXPECT_GE(gradient[k], -1e-10 * size);
        if (w[k] > 0) {
          EXPECT_LE(gradient[k], 1e-10 * size);
        }
      }
    }
  }
}

TEST(Stack, SplitCommunicatorsFitByThemselves) {
  const auto world = Communicator::world();
  const auto half = world.split(world.rank() % 2, world.rank());
  const Data data = random_data(5, {20, 11, 7}, 40U + static_cast<unsigned>(world.rank() % 2));
  const auto fit = fit_stack(data.source(), "simplex", {}, half);
  EXPECT_EQ(fit.targets_local, partition(5, half.size(), half.rank()));
  EXPECT_LT(largest(fit.weights - own_columns(plain_simplex(data, std::vector<bool>(38, true)), fit)), 1e-9);
}

std::string message_of(const StackData& data, const std::string& method,
                       const std::vector<std::vector<Index>>& without, const Communicator& comm) {
  try {
    fit_stack(data, method, without, comm);
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

TEST(StackInput, WhatIsWrongIsNamedOnEveryRank) {
  const auto comm = Communicator::world();
  Data data = random_data(3, {20, 11, 7}, 50);
  for (const auto& method : stacking_methods()) {
    EXPECT_NE(message_of(data.source(), "median", {}, comm).find(method), std::string::npos);
  }
  EXPECT_NE(message_of(data.source(), "simplex", {{0, 1, 2, 3}}, comm), "");
  EXPECT_NE(message_of(data.source(), "simplex", {{4}}, comm).find("4"), std::string::npos);
  auto failing = data.source();
  failing.failing_block = 1;
  for (const auto* method : {"simplex", "ridge"}) {
    EXPECT_EQ(message_of(failing, method, {}, comm), "prediction.h5: run 1 cannot be read");
  }
  Data holes = data;
  holes.predictions[2](25, 1) = NAN;
  EXPECT_NE(message_of(holes.source(), "mean", {}, comm).find("run 1"), std::string::npos);
  Data empty = random_data(3, {0, 0}, 51);
  EXPECT_NE(message_of(empty.source(), "simplex", {}, comm), "");
  Data no_models = data;
  no_models.predictions.clear();
  EXPECT_NE(message_of(no_models.source(), "simplex", {}, comm), "");
}

}  // namespace
}  // namespace cinecortex::encoding
