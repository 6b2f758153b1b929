#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "../../src/encoding/path_form.hpp"

namespace cinecortex::encoding {
namespace {

MatrixD random_rows(Index rows, Index columns, std::uint64_t seed) {
  std::mt19937_64 engine(seed);
  std::normal_distribution<double> normal;
  MatrixD values(rows, columns);
  for (Index i = 0; i < values.size(); ++i) values.data()[i] = normal(engine);
  return values;
}

/// What a held-out Gram matrix is like in units of fitted values.
MatrixD positive(Index size, std::uint64_t seed) {
  const MatrixD rows = random_rows(2 * size, size, seed) / std::sqrt(2.0 * static_cast<double>(size));
  return rows.transpose() * rows;
}

std::vector<double> grid(double first_exponent, double last_exponent, int count) {
  std::vector<double> alphas;
  for (int i = 0; i < count; ++i)
    alphas.push_back(std::pow(10.0, first_exponent + (last_exponent - first_exponent) * i / (count - 1)));
  return alphas;
}

/// The largest error beside what the form reaches of the shrunken coordinates.
template <class Scalar>
double largest_error(const VectorD& values, const MatrixD& w, const std::vector<double>& alphas,
                     const MatrixD& a) {
  const PathForm<Scalar> form(values, w, alphas);
  const MatrixD got = form(a.cast<Scalar>());
  double largest = 0;
  for (std::size_t k = 0; k < alphas.size(); ++k) {
    const VectorD shrinkage = values.array() / (values.array() + alphas[k]);
    const MatrixD shrunken = shrinkage.asDiagonal() * a;
    const Eigen::RowVectorXd expected = shrunken.cwiseProduct(w * shrunken).colwise().sum();
    const Eigen::RowVectorXd size = shrunken.colwise().squaredNorm();
    const Eigen::RowVectorXd wrong = got.row(static_cast<Index>(k)) - expected;
    largest = std::max(largest, wrong.cwiseQuotient(size).cwiseAbs().maxCoeff());
  }
  return largest;
}

struct Spectrum {
  std::string name;
  VectorD values;
};

std::vector<Spectrum> spectra(Index size) {
  const VectorD even = VectorD::LinSpaced(size, 0.0, 1.0);
  VectorD clusters(size);
  for (Index i = 0; i < size; ++i) clusters[i] = std::pow(10.0, -std::floor(6.0 * even[i]));
  VectorD mixed = 1e5 * Eigen::pow(10.0, -10.0 * even.array()).matrix();
  mixed = mixed.cwiseMax(3.0);
  return {
      {"1/j", (1e5 / (1 + static_cast<double>(size) * even.array())).matrix()},
      {"narrow", (2e4 - 1.5e4 * even.array()).matrix()},
      {"nearly equal", (7.0 - 1e-6 * even.array()).matrix()},
      {"equal", VectorD::Constant(size, 7.0)},
      {"twelve decades", Eigen::pow(10.0, 6.0 - 12.0 * even.array()).matrix()},
      {"clusters", clusters},
      {"half equal", mixed},
  };
}

TEST(PathForm, EqualsTheFormOfEveryAlpha) {
  const std::vector<std::vector<double>> grids{{0.0},           {0.0, 1e-15, 1e-3}, grid(-5, 6, 15),
                                               grid(1, 20, 20), grid(6, -1, 20),    {1e5, 2.0, 1e5}};
  for (const Index size : {1, 2, 31, 33, 150}) {
    const MatrixD w = positive(size, 1), a = random_rows(size, 20, 2);
    for (const auto& [name, values] : spectra(size)) {
      for (const auto& alphas : grids) {
        EXPECT_LT(largest_error<double>(values, w, alphas, a), 1e-10)
            << name << " " << size << " " << alphas[0];
        EXPECT_LT(largest_error<float>(values, w, alphas, a), 1e-5)
            << name << " " << size << " " << alphas[0];
      }
    }
  }
}

TEST(PathForm, ExpandsNeighboursWellEnough) {
  const Index size = 40;
  VectorD values(size);
  for (Index i = 0; i < size; ++i) values[i] = 100 * std::pow(0.99999 * (1 - 1.0 / 256), i / 2);
  MatrixD w = MatrixD::Zero(size, size);
  for (Index i = 1; i < size; ++i) w(i, i - 1) = w(i - 1, i) = 1;
  const MatrixD a = random_rows(size, 50, 3);
  for (const double alpha : {0.0, 1.0, 100.0})
    EXPECT_LT(largest_error<double>(values, w, {alpha}, a), 1e-10) << alpha;
}

TEST(PathForm, RoundingIsWhatItSays) {
  const Index size = 300;
  const MatrixD w = positive(size, 5), a = random_rows(size, 100, 6);
  for (const auto& [name, values] : spectra(size)) {
    for (const double alpha : {1e-3, 100.0, values[0]}) {
      const PathForm<float> form(values, w, {alpha});
      const double rounding = form.rounding(w)[0];
      const VectorD shrinkage = values.array() / (values.array() + alpha);
      const MatrixD shrunken = shrinkage.asDiagonal() * a;
      const Eigen::RowVectorXd sizes = a.colwise().norm().cwiseProduct(shrunken.colwise().norm());
      const Eigen::RowVectorXd expected = shrunken.cwiseProduct(w * shrunken).colwise().sum();
      const double seen = (form(a.cast<float>()) - expected).cwiseQuotient(sizes).norm() / 10;
      EXPECT_LT(seen, 3 * rounding) << name << " " << alpha;
      EXPECT_GT(3 * seen, rounding) << name << " " << alpha;
    }
  }
}

TEST(PathForm, CostsAProductAndABand) {
  const Index size = 400;
  const MatrixD w = positive(size, 4);
  const auto all = spectra(size);
  EXPECT_LT(PathForm<float>(all[0].values, w, grid(-5, 5, 15)).products(), 1.5);
  EXPECT_LT(PathForm<float>(all[0].values, w, grid(-5, 6, 15)).products(), 2.5);
  EXPECT_EQ(PathForm<float>(all[3].values, w, grid(-5, 6, 15)).products(), 2.0);
}

TEST(PathForm, OfNoDirectionsIsZero) {
  const PathForm<double> form(VectorD(0), MatrixD(0, 0), {1.0, 2.0});
  EXPECT_EQ(form(MatrixD(0, 3)), MatrixD::Zero(2, 3));
  EXPECT_EQ(form.products(), 0);
}

}  // namespace
}  // namespace cinecortex::encoding
