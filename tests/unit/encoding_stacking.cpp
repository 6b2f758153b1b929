#include "cinecortex/encoding/stacking.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "../../src/encoding/nonnegative_qp.hpp"
#include "cinecortex/core/error.hpp"
#include "text_matrices.hpp"

namespace cinecortex::encoding {
namespace {

MatrixD random_errors(Index rows, Index models, std::mt19937_64& engine) {
  std::normal_distribution<double> normal;
  MatrixD errors(rows, models);
  for (double& v : errors.reshaped()) v = normal(engine);
  // What all models miss makes them alike, as base models are.
  const VectorD common = errors.col(0);
  for (Index k = 1; k < models; ++k) errors.col(k) += normal(engine) * common;
  return errors;
}

MatrixD products(const MatrixD& errors) {
  return errors.transpose() * errors / static_cast<double>(errors.rows());
}

/// Stationarity and feasibility, relative to the largest entry.
void expect_optimal(const MatrixD& p, const VectorD& w) {
  ASSERT_EQ(w.size(), p.rows());
  EXPECT_GE(w.minCoeff(), 0.0);
  EXPECT_NEAR(w.sum(), 1.0, 1e-12);
  const double size = std::max(p.cwiseAbs().maxCoeff(), 1e-300);
  const VectorD multiplier = ((p * w).array() - w.dot(p * w)) / size;
  for (Index k = 0; k < w.size(); ++k) {
    EXPECT_GE(multiplier[k], -1e-10) << "model " << k << " of " << w.size();
    if (w[k] > 0) {
      EXPECT_LE(multiplier[k], 1e-10) << "model " << k << " of " << w.size();
    }
  }
}

TEST(SimplexWeights, AreOptimalForRandomModels) {
  std::mt19937_64 engine(1);
  for (Index models = 1; models <= 8; ++models) {
    for (int repeat = 0; repeat < 200; ++repeat) {
      const MatrixD p = products(random_errors(3 * models, models, engine));
      expect_optimal(p, minimise_on_simplex(p));
    }
  }
}

TEST(SimplexWeights, AreOptimalAndShareEquallyForDuplicates) {
  std::mt19937_64 engine(2);
  for (Index models = 2; models <= 8; ++models) {
    for (int repeat = 0; repeat < 200; ++repeat) {
      MatrixD errors = random_errors(4 * models, models, engine);
      errors.col(models - 1) = errors.col(0);
      if (models > 4) errors.col(2) = errors.col(0);
      const MatrixD p = products(errors);
      const VectorD w = minimise_on_simplex(p);
      expect_optimal(p, w);
      EXPECT_NEAR(w[0], w[models - 1], 1e-9);
      if (models > 4) {
        EXPECT_NEAR(w[0], w[2], 1e-9);
      }
      // Together the copies weigh what the one model weighs without them.
      const MatrixD fewer = p.topLeftCorner(models - 1, models - 1);
      const VectorD without = minimise_on_simplex(fewer);
      EXPECT_NEAR(w.dot(p * w), without.dot(fewer * without), 1e-10 * p.cwiseAbs().maxCoeff());
    }
  }
}

TEST(SimplexWeights, AreOptimalWithFewerRowsThanModels) {
  std::mt19937_64 engine(3);
  for (Index models = 2; models <= 8; ++models) {
    for (int repeat = 0; repeat < 200; ++repeat) {
      const MatrixD p = products(random_errors(1 + repeat % models, models, engine));
      expect_optimal(p, minimise_on_simplex(p));
    }
  }
}

TEST(SimplexWeights, AreOptimalWhereScalesDiffer) {
  std::mt19937_64 engine(4);
  for (int repeat = 0; repeat < 200; ++repeat) {
    MatrixD errors = random_errors(30, 5, engine);
    errors.col(1) *= 1e6;  // a broken model
    errors.col(3) *= 1e-3;
    const MatrixD p = products(errors);
    const VectorD w = minimise_on_simplex(p);
    expect_optimal(p, w);
    // The broken model must not blur the others: each is stationary relative to its own errors.
    const VectorD own_size = p.cwiseAbs() * w;
    const VectorD multiplier = ((p * w).array() - w.dot(p * w)).matrix().cwiseQuotient(own_size);
    for (Index k = 0; k < 5; ++k) {
      EXPECT_GE(multiplier[k], -1e-10);
      if (w[k] > 0) {
        EXPECT_LE(multiplier[k], 1e-10);
      }
    }
  }
}

TEST(SimplexWeights, ShareEquallyAmongEqualsAndPerfectModels) {
  EXPECT_LT((minimise_on_simplex(MatrixD::Ones(4, 4)) - VectorD::Constant(4, 0.25)).norm(), 1e-14);
  EXPECT_LT((minimise_on_simplex(MatrixD::Identity(5, 5)) - VectorD::Constant(5, 0.2)).norm(), 1e-14);
  EXPECT_LT((minimise_on_simplex(MatrixD::Zero(3, 3)) - VectorD::Constant(3, 1.0 / 3)).norm(), 1e-14);
  MatrixD p = MatrixD::Zero(3, 3);
  p(1, 1) = 2.0;  // two models without error
  EXPECT_LT((minimise_on_simplex(p) - VectorD{{0.5, 0.0, 0.5}}).norm(), 1e-12);
}

TEST(SimplexWeights, OfUnrelatedModelsAreInverseToTheirErrors) {
  const MatrixD p = VectorD{{1.0, 2.0, 4.0}}.asDiagonal();
  EXPECT_LT((minimise_on_simplex(p) - VectorD{{4.0, 2.0, 1.0}} / 7).norm(), 1e-14);
  EXPECT_LT((minimise_on_simplex(p.bottomRightCorner(2, 2)) - VectorD{{2.0 / 3, 1.0 / 3}}).norm(), 1e-14);
  EXPECT_EQ(minimise_on_simplex(p.bottomRightCorner(1, 1)), VectorD::Ones(1));
}

TEST(SimplexWeights, AreNotMadeOfWhatIsNotFinite) {
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_THROW(minimise_on_simplex(VectorD{{1.0, infinity}}.asDiagonal().toDenseMatrix()), NumericalError);
  MatrixD p = MatrixD::Identity(3, 3);
  p(0, 2) = p(2, 0) = NAN;
  EXPECT_THROW(minimise_on_simplex(p), NumericalError);
}

TEST(SimplexWeights, EqualAPlainQuadraticProgram) {
  const auto fixture = read_text_matrices("parity/ridge/simplex.txt");
  int cases = 0;
  for (const auto& [name, p] : fixture) {
    if (name.front() != 'p') continue;
    const MatrixD& expected = fixture.at("w" + name.substr(1));
    EXPECT_LT((minimise_on_simplex(p).transpose() - expected).cwiseAbs().maxCoeff(), 1e-8) << name;
    ++cases;
  }
  EXPECT_EQ(cases, 21);
}

TEST(StackingMethods, AreThoseOfTheDocumentation) {
  EXPECT_EQ(stacking_methods(),
            (std::vector<std::string>{"simplex", "ridge", "ols", "nnls", "mean", "best"}));
}

}  // namespace
}  // namespace cinecortex::encoding
