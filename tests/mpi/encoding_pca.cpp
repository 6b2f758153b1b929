#include "cinecortex/encoding/pca.hpp"

#include <gtest/gtest.h>

#include <Eigen/Eigenvalues>
#include <cmath>
#include <map>
#include <random>

#include "cinecortex/core/error.hpp"
#include "text_matrices.hpp"

namespace cinecortex::encoding {
namespace {

using parallel::Communicator;

constexpr PcaSolver exact_solvers[] = {PcaSolver::covariance, PcaSolver::dual};
constexpr PcaSolver all_solvers[] = {PcaSolver::covariance, PcaSolver::dual, PcaSolver::randomized};

double distance(const MatrixD& a, const MatrixD& b) {
  if (a.rows() != b.rows() || a.cols() != b.cols()) return INFINITY;
  return a.size() == 0 ? 0.0 : (a - b).cwiseAbs().maxCoeff();
}

MatrixD random_matrix(Index rows, Index columns, unsigned seed) {
  std::mt19937 engine(seed);
  std::normal_distribution<double> normal;
  MatrixD values(rows, columns);
  for (Index i = 0; i < rows; ++i) {
    for (Index j = 0; j < columns; ++j) values(i, j) = normal(engine);
  }
  return values;
}

/// Rows with a spectrum that falls by `ratio` from one direction to the next, in random directions.
MatrixD decaying(Index rows, Index columns, double ratio, unsigned seed) {
  const Index rank = std::min(rows, columns);
  VectorD sizes(rank);
  for (Index i = 0; i < rank; ++i) sizes[i] = std::pow(ratio, static_cast<double>(i));
  return random_matrix(rows, rank, seed) * sizes.asDiagonal() * random_matrix(rank, columns, seed + 1);
}

/// Rows whose k-th direction has the variance 1/k, as features have.
MatrixD power_law(Index rows, Index columns, unsigned seed) {
  const Index rank = std::min(rows, columns);
  VectorD sizes(rank);
  for (Index i = 0; i < rank; ++i) sizes[i] = 1.0 / std::sqrt(static_cast<double>(i + 1));
  return random_matrix(rows, rank, seed) * sizes.asDiagonal() * random_matrix(rank, columns, seed + 1);
}

/// The plain definition, without scaling.
MatrixD covariance_of(const MatrixD& x) {
  const MatrixD centred = x.rowwise() - x.colwise().mean();
  return centred.transpose() * centred / static_cast<double>(x.rows() - 1);
}

PcaOptions options(Index components, PcaSolver solver, Scale scale = Scale::none, Index fit_every = 1) {
  PcaOptions result;
  result.components = components;
  result.scale = scale;
  result.fit_every = fit_every;
  result.solver = solver;
  return result;
}

void expect_same(const Pca& a, const Pca& b, double tolerance) {
  EXPECT_LT(distance(a.mean, b.mean), tolerance);
  EXPECT_LT(distance(a.scale, b.scale), tolerance);
  EXPECT_LT(distance(a.components, b.components), tolerance);
  EXPECT_LT(distance(a.explained_variance, b.explained_variance), tolerance * a.explained_variance[0]);
  EXPECT_LT(distance(a.explained_variance_ratio, b.explained_variance_ratio), tolerance);
}

// ---- scikit-learn
// ------------------------------------------------------------------------------------------

MemorySource source_of(const std::map<std::string, MatrixD>& fixture) {
  return {fixture.at("x"), as_indices(fixture.at("blocks"))};
}

struct Parity {
  const char* name;
  Scale scale;
  Index fit_every;
};

void PrintTo(const Parity& parity, std::ostream* out) {
  *out << parity.name;
}

class ScikitLearn : public ::testing::TestWithParam<Parity> {};

TEST_P(ScikitLearn, FullPcaIsReproducedByEverySolver) {
  const Communicator world = Communicator::world();
  const auto fixture = read_text_matrices(std::string("parity/pca/") + GetParam().name + ".txt");
  const MemorySource source = source_of(fixture);
  const MatrixD& expected = fixture.at("components");
  for (const PcaSolver solver : all_solvers) {
    const Pca pca =
        fit_pca(source, options(expected.rows(), solver, GetParam().scale, GetParam().fit_every), world);
    // Randomized goes through l × l products of eigenvalues: exact to 1e-16 of the largest one only.
    const bool exact = solver != PcaSolver::randomized;
    const bool badly_scaled = std::string(GetParam().name).find("badly") != std::string::npos;
    if (!exact && badly_scaled) continue;
    EXPECT_LT(distance(pca.components, expected), 1e-8) << pca.solver;
    for (Index i = 0; i < expected.rows(); ++i) {
      EXPECT_NEAR(pca.explained_variance[i] / fixture.at("explained_variance")(0, i), 1.0, 1e-8)
          << pca.solver << i;
      EXPECT_NEAR(pca.explained_variance_ratio[i], fixture.at("explained_variance_ratio")(0, i), 1e-10);
    }
    Index row = 0;
    for (Index block = 0; block < source.blocks(); ++block) {
      const MatrixD scores = pca.transform(source.read(block));
      const double largest = fixture.at("scores").cwiseAbs().maxCoeff();
      EXPECT_LT(distance(scores, fixture.at("scores").middleRows(row, source.rows(block))), 1e-8 * largest)
          << pca.solver;
      row += source.rows(block);
    }
    EXPECT_LT(pca.orthogonality, 1e-12);
    EXPECT_LT(pca.residual, 1e-12);
  }
}

INSTANTIATE_TEST_SUITE_P(Fixtures, ScikitLearn,
                         ::testing::Values(Parity{"tall", Scale::none, 1}, Parity{"wide", Scale::none, 1},
                                           Parity{"tall_badly_scaled", Scale::none, 1},
                                           Parity{"wide_badly_scaled", Scale::none, 1},
                                           Parity{"global", Scale::global, 3},
                                           Parity{"global_wide", Scale::global, 2},
                                           Parity{"per_run", Scale::per_run, 5}));

// ---- the same for every number of ranks
// --------------------------------------------------------------------

TEST(Pca, DoesNotDependOnTheNumberOfRanks) {
  const Communicator world = Communicator::world();
  const Communicator alone = world.split(world.rank(), 0);
  for (const auto& [rows, columns] : {std::pair<Index, Index>{83, 37}, {41, 90}}) {
    const MatrixD x = decaying(rows, columns, 0.8, 11);
    const Index third = rows / 3;
    const MemorySource source(x, {third, 1, 0, third, rows - 2 * third - 1});
    for (const Scale scale : {Scale::none, Scale::global, Scale::per_run}) {
      for (const PcaSolver solver : all_solvers) {
        const PcaOptions wanted = options(9, solver, scale, 2);
        expect_same(fit_pca(source, wanted, alone), fit_pca(source, wanted, world), 1e-9);
      }
    }
  }
}

TEST(Pca, EveryRankHoldsTheSameBits) {
  const Communicator world = Communicator::world();
  const MemorySource source(decaying(60, 30, 0.8, 3), {20, 20, 20});
  for (const PcaSolver solver : all_solvers) {
    const Pca pca = fit_pca(source, options(7, solver, Scale::global), world);
    Pca of_root = pca;
    const auto share = [&](auto& v) {
      world.broadcast(std::span(v.data(), static_cast<std::size_t>(v.size())));
    };
    share(of_root.mean);
    share(of_root.scale);
    share(of_root.components);
    share(of_root.explained_variance);
    EXPECT_EQ(of_root.mean, pca.mean);
    EXPECT_EQ(of_root.scale, pca.scale);
    EXPECT_EQ(of_root.components, pca.components);
    EXPECT_EQ(of_root.explained_variance, pca.explained_variance);
  }
}

TEST(Pca, RanksWithoutABlockTakePart) {
  const Communicator world = Communicator::world();
  const MatrixD x = decaying(30, 12, 0.7, 5);
  for (const PcaSolver solver : all_solvers) {
    const Pca one_block = fit_pca(MemorySource(x), options(5, solver), world);
    const Pca three_blocks = fit_pca(MemorySource(x, {3, 20, 7}), options(5, solver), world);
    expect_same(one_block, three_blocks, 1e-9);
  }
}

TEST(Pca, WorksOnPartsOfTheRanksAtOnce) {
  const Communicator world = Communicator::world();
  const Communicator part = world.split(world.rank() % 2, -world.rank());
  const MatrixD x = decaying(40 + 10 * (world.rank() % 2), 15, 0.7, 6);
  const Pca together = fit_pca(MemorySource(x, {17, x.rows() - 17}), options(4, PcaSolver::automatic), part);
  const Communicator alone = world.split(world.rank(), 0);
  expect_same(together, fit_pca(MemorySource(x), options(4, PcaSolver::automatic), alone), 1e-9);
}

// ---- what the numbers mean
// ---------------------------------------------------------------------------------

TEST(Pca, SolversAgreeOnDecayingSpectra) {
  const Communicator world = Communicator::world();
  for (const auto& [rows, columns] : {std::pair<Index, Index>{400, 120}, {120, 400}}) {
    const MemorySource source(decaying(rows, columns, 0.85, 21), {rows / 2, rows - rows / 2});
    const Pca covariance = fit_pca(source, options(30, PcaSolver::covariance), world);
    const Pca dual = fit_pca(source, options(30, PcaSolver::dual), world);
    const Pca randomized = fit_pca(source, options(30, PcaSolver::randomized), world);
    expect_same(covariance, dual, 1e-9);
    expect_same(covariance, randomized, 1e-7);
    EXPECT_LT(randomized.residual, 1e-10);
    EXPECT_LT(randomized.orthogonality, 1e-12);
  }
}

TEST(Pca, RandomizedFindsTheTopOfAFlatSpectrum) {
  const Communicator world = Communicator::world();
  const MemorySource source(random_matrix(300, 200, 4), {100, 200});
  const Pca exact = fit_pca(source, options(20, PcaSolver::covariance), world);
  const Pca randomized = fit_pca(source, options(20, PcaSolver::randomized), world);
  EXPECT_LT(randomized.residual, 1e-8);
  EXPECT_LT(distance(randomized.components, exact.components), 1e-5);
  EXPECT_LT(distance(randomized.explained_variance, exact.explained_variance), 1e-12);
}

TEST(Pca, LargeSquaresAreNotDecomposedWhole) {
  const Communicator world = Communicator::world();
  const Communicator alone = world.split(world.rank(), 0);
  const MatrixD x = power_law(600, 500, 31);
  const MemorySource source(x, {200, 400});
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> plain(covariance_of(x));
  for (const PcaSolver solver : all_solvers) {
    const Pca pca = fit_pca(source, options(10, solver), world);
    EXPECT_LT(pca.residual, 1e-8) << pca.solver;
    EXPECT_LT(pca.orthogonality, 1e-12) << pca.solver;
    for (Index i = 0; i < 10; ++i) {
      EXPECT_NEAR(pca.explained_variance[i] / plain.eigenvalues()[499 - i], 1.0, 1e-12) << pca.solver << i;
      EXPECT_NEAR(std::abs(pca.components.row(i).dot(plain.eigenvectors().col(499 - i))), 1.0, 1e-9)
          << pca.solver << i;
    }
    expect_same(pca, fit_pca(source, options(10, solver), alone), 1e-6);
  }
}

// ---- float32 data
// ----------------------------------------------------------------------------------------------

/// The same numbers, known to be of float32's precision.
class SingleSource final : public BlockSource {
 public:
  SingleSource(const MatrixD& values, std::vector<Index> block_rows)
      : exact_(values.cast<float>().cast<double>(), std::move(block_rows)) {}
  Index blocks() const override { return exact_.blocks(); }
  Index rows(Index block) const override { return exact_.rows(block); }
  Index columns() const override { return exact_.columns(); }
  MatrixD read(Index block, Range columns) const override { return exact_.read(block, columns); }
  bool single_precision() const override { return true; }
  std::string name(Index block) const override { return exact_.name(block); }
  const MemorySource& exact() const { return exact_; }

 private:
  MemorySource exact_;
};

TEST(Pca, Float32ProductsAgreeWithFloat64OnTheSameNumbers) {
  const Communicator world = Communicator::world();
  for (const auto& [rows, columns] : {std::pair<Index, Index>{600, 500}, {200, 700}}) {
    MatrixD x = power_law(rows, columns, 41);
    x.rowwise() += Eigen::RowVectorXd::LinSpaced(columns, -100.0, 100.0) * x.cwiseAbs().maxCoeff();
    const SingleSource source(x, {rows / 4, 0, rows / 4, rows - 2 * (rows / 4)});
    for (const Scale scale : {Scale::none, Scale::global, Scale::per_run}) {
      for (const PcaSolver solver : all_solvers) {
        const PcaOptions wanted = options(10, solver, scale, 2);
        const Pca single = fit_pca(source, wanted, world);
        const Pca exact = fit_pca(source.exact(), wanted, world);
        EXPECT_LT(single.residual, 1e-6) << single.solver;
        EXPECT_LT(single.orthogonality, 1e-12);
        EXPECT_LT(distance(single.mean, exact.mean), 1e-7 * (1 + exact.mean.cwiseAbs().maxCoeff()));
        EXPECT_LT((single.scale.array() / exact.scale.array() - 1.0).abs().maxCoeff(), 1e-6);
        EXPECT_LT(
            (single.explained_variance.array() / exact.explained_variance.array() - 1.0).abs().maxCoeff(),
            2e-6)
            << single.solver;
        EXPECT_GT((single.components * exact.components.transpose()).diagonal().minCoeff(), 1 - 1e-8)
            << single.solver;
        const MatrixD scores = single.transform(source, 3), expected = exact.transform(source.exact(), 3);
        EXPECT_LT(distance(scores, expected), 1e-4 * expected.cwiseAbs().maxCoeff());
      }
    }
  }
}

TEST(Pca, MeansFarFromZeroAndConstantColumns) {
  const Communicator world = Communicator::world();
  MatrixD x = random_matrix(50, 6, 8);
  const MatrixD plain = x;
  x.rowwise() += Eigen::RowVectorXd::LinSpaced(6, -1e7, 1e7);
  x.col(2).setConstant(0.1);
  MatrixD without = plain;
  without.col(2).setZero();
  for (const Scale scale : {Scale::none, Scale::global, Scale::per_run}) {
    for (const PcaSolver solver : all_solvers) {
      const Pca shifted = fit_pca(MemorySource(x, {11, 19, 20}), options(4, solver, scale), world);
      const Pca centred = fit_pca(MemorySource(without, {11, 19, 20}), options(4, solver, scale), world);
      EXPECT_LT(distance(shifted.components, centred.components), 1e-6);
      EXPECT_LT(distance(shifted.explained_variance, centred.explained_variance), 1e-6);
      EXPECT_EQ(shifted.scale[2], 1.0);
      EXPECT_LT(shifted.components.col(2).cwiseAbs().maxCoeff(), 1e-12);
      EXPECT_TRUE(shifted.transform(x).allFinite());
    }
  }
}

TEST(Pca, NothingVaries) {
  const Communicator world = Communicator::world();
  for (const PcaSolver solver : all_solvers) {
    const Pca pca =
        fit_pca(MemorySource(MatrixD::Constant(8, 3, 2.5), {4, 4}), options(2, solver, Scale::global), world);
    EXPECT_EQ(pca.explained_variance, VectorD::Zero(2));
    EXPECT_EQ(pca.explained_variance_ratio, VectorD::Zero(2));
    EXPECT_LT(pca.orthogonality, 1e-12);
  }
}

TEST(Pca, ZeroComponentsMeansAllThereAre) {
  const Communicator world = Communicator::world();
  for (const auto& [rows, columns] : {std::pair<Index, Index>{30, 6}, {7, 20}, {2, 1}, {2, 9}, {9, 1}}) {
    const MatrixD x = random_matrix(rows, columns, 2);
    for (const PcaSolver solver : all_solvers) {
      const Pca pca = fit_pca(MemorySource(x), options(0, solver), world);
      EXPECT_EQ(pca.components.rows(), std::min(columns, rows - 1));
      EXPECT_NEAR(pca.explained_variance_ratio.sum(), 1.0, 1e-12);
      EXPECT_LT(pca.orthogonality, 1e-12);
      const MatrixD rebuilt = (pca.transform(x) * pca.components).rowwise() + pca.mean.transpose();
      EXPECT_LT(distance(rebuilt, x), 1e-10);
    }
  }
}

TEST(Pca, FitEveryCountsWithinEachBlock) {
  const Communicator world = Communicator::world();
  const MatrixD x = random_matrix(17, 4, 9);
  MatrixD picked(6, 4);
  picked << x.row(0), x.row(3), x.row(6), x.row(7), x.row(10), x.row(13);  // blocks of 7, 9 and 1 rows
  MatrixD all(7, 4);
  all << picked, x.row(16);
  for (const PcaSolver solver : exact_solvers) {
    const Pca pca = fit_pca(MemorySource(x, {7, 9, 1}), options(3, solver, Scale::global, 3), world);
    EXPECT_EQ(pca.fit_rows, 7);
    expect_same(pca, fit_pca(MemorySource(all), options(3, solver, Scale::global), world), 1e-9);
  }
}

// ---- refusals
// ----------------------------------------------------------------------------------------------

std::string refusal(const BlockSource& source, const PcaOptions& wanted, const Communicator& comm) {
  try {
    fit_pca(source, wanted, comm);
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

TEST(Pca, RefusesMoreComponentsThanThereAreAndSaysBothNumbers) {
  const Communicator world = Communicator::world();
  const std::string text = refusal(MemorySource(random_matrix(20, 30, 1)),
                                   options(11, PcaSolver::automatic, Scale::none, 2), world);
  for (const char* part : {"11 components", "at most 9", "30 columns", "10 fit rows"}) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  }
  EXPECT_NE(refusal(MemorySource(random_matrix(5, 3, 1)), options(4, PcaSolver::automatic), world), "");
  EXPECT_NE(refusal(MemorySource(random_matrix(5, 3, 1)), options(-1, PcaSolver::automatic), world), "");
  EXPECT_NE(refusal(MemorySource(random_matrix(1, 3, 1)), options(0, PcaSolver::automatic), world), "");
  EXPECT_NE(refusal(MemorySource(MatrixD(5, 0)), options(0, PcaSolver::automatic), world), "");
  EXPECT_NE(
      refusal(MemorySource(random_matrix(5, 3, 1)), options(1, PcaSolver::automatic, Scale::none, 0), world),
      "");
}

TEST(Pca, ABlockThatOneRankCannotReadFailsEveryRank) {
  const Communicator world = Communicator::world();
  MatrixD x = random_matrix(20, 4, 1);
  x(13, 2) = std::nan("");
  for (const PcaSolver solver : all_solvers) {
    const std::string text = refusal(MemorySource(x, {5, 5, 5, 5}), options(2, solver), world);
    EXPECT_EQ(text, "block 2: row 3, column 2 is nan; every value must be finite");
  }
}

TEST(Pca, ChoosesTheCheaperExactSolverForSmallData) {
  const Communicator world = Communicator::world();
  EXPECT_EQ(fit_pca(MemorySource(random_matrix(90, 10, 1)), options(3, PcaSolver::automatic), world).solver,
            "covariance");
  EXPECT_EQ(fit_pca(MemorySource(random_matrix(10, 90, 1)), options(3, PcaSolver::automatic), world).solver,
            "dual");
}

}  // namespace
}  // namespace cinecortex::encoding
