#include "cinecortex/encoding/scores.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "cinecortex/core/error.hpp"
#include "random_matrix.hpp"

namespace cinecortex::encoding {
namespace {

/// The definition, in long double.
double plain_pearson(const VectorD& y, const VectorD& p) {
  long double mean_y = 0, mean_p = 0, yy = 0, pp = 0, yp = 0;
  for (Index i = 0; i < y.size(); ++i) {
    mean_y += y[i];
    mean_p += p[i];
  }
  mean_y /= y.size();
  mean_p /= y.size();
  for (Index i = 0; i < y.size(); ++i) {
    yy += (y[i] - mean_y) * (y[i] - mean_y);
    pp += (p[i] - mean_p) * (p[i] - mean_p);
    yp += (y[i] - mean_y) * (p[i] - mean_p);
  }
  return static_cast<double>(yp / std::sqrt(yy * pp));
}

CorrelationMoments moments_of(const MatrixD& y, const MatrixD& p, const std::vector<Index>& pieces) {
  CorrelationMoments moments(y.cols());
  Index first = 0;
  for (const Index rows : pieces) {
    moments.add(y.middleRows(first, rows), p.middleRows(first, rows));
    first += rows;
  }
  return moments;
}

TEST(CorrelationMoments, EqualsTheDefinitionHoweverTheRowsArrive) {
  const MatrixD y = random_matrix(97, 4, 1);
  const MatrixD p = 0.3 * y + random_matrix(97, 4, 2);
  for (const auto& pieces : {std::vector<Index>{97}, {1, 96}, {30, 0, 40, 27}, std::vector<Index>(97, 1)}) {
    const auto moments = moments_of(y, p, pieces);
    EXPECT_EQ(moments.rows(), 97);
    const VectorD r = moments.pearson();
    for (Index v = 0; v < 4; ++v) EXPECT_NEAR(r[v], plain_pearson(y.col(v), p.col(v)), 1e-14);
  }
}

TEST(CorrelationMoments, KeepsItsDigitsUnderLargeMeans) {
  const MatrixD y = random_matrix(200, 3, 3);
  const MatrixD p = 0.5 * y + random_matrix(200, 3, 4);
  const auto far = moments_of((y.array() + 1e8).matrix(), (p.array() - 3e7).matrix(), {50, 80, 70});
  const VectorD near = moments_of(y, p, {200}).pearson();
  // Adding 1e8 rounds the data themselves to 1e-8.
  EXPECT_LT((far.pearson() - near).cwiseAbs().maxCoeff(), 1e-8);
  EXPECT_EQ(far.constant_targets(), 0);
}

TEST(CorrelationMoments, MergesInAnyOrder) {
  const MatrixD y = random_matrix(60, 2, 5);
  const MatrixD p = y + random_matrix(60, 2, 6);
  const auto piece = [&](Index first, Index rows) {
    CorrelationMoments moments(2);
    moments.add(y.middleRows(first, rows), p.middleRows(first, rows));
    return moments;
  };
  auto left = piece(0, 10);
  left.merge(piece(10, 30));
  left.merge(piece(40, 20));
  auto tail = piece(10, 30);
  tail.merge(piece(40, 20));
  auto right = piece(0, 10);
  right.merge(tail);
  auto reversed = piece(40, 20);
  reversed.merge(CorrelationMoments(2));
  reversed.merge(piece(10, 30));
  reversed.merge(piece(0, 10));
  EXPECT_LT((left.pearson() - right.pearson()).cwiseAbs().maxCoeff(), 1e-14);
  EXPECT_LT((left.pearson() - reversed.pearson()).cwiseAbs().maxCoeff(), 1e-14);
}

TEST(CorrelationMoments, GivesZeroWhereNothingVariesAndCountsIt) {
  MatrixD y = random_matrix(40, 4, 7);
  MatrixD p = random_matrix(40, 4, 8);
  y.col(1).setConstant(0.1);  // not a binary fraction: a naive mean is off by a rounding
  p.col(2).setConstant(1e6 / 3);
  const auto moments = moments_of(y, p, {13, 7, 20});
  EXPECT_EQ(moments.constant_targets(), 2);
  EXPECT_EQ(moments.pearson()[1], 0.0);
  EXPECT_EQ(moments.pearson()[2], 0.0);
  EXPECT_NE(moments.pearson()[0], 0.0);
}

TEST(CorrelationMoments, IsOneForAPerfectPredictionAndZeroForNoRows) {
  const MatrixD y = random_matrix(30, 2, 9);
  EXPECT_NEAR(moments_of(y, (3.0 * y.array() + 2).matrix(), {30}).pearson()[0], 1.0, 1e-15);
  EXPECT_NEAR(moments_of(y, -y, {30}).pearson()[1], -1.0, 1e-15);
  EXPECT_EQ(CorrelationMoments(2).pearson(), VectorD::Zero(2));
  EXPECT_EQ(CorrelationMoments(0).pearson().size(), 0);
}

TEST(CorrelationMoments, RefusesOtherShapes) {
  CorrelationMoments moments(3);
  EXPECT_THROW(moments.add(MatrixD::Zero(4, 3), MatrixD::Zero(5, 3)), Error);
  EXPECT_THROW(moments.add(MatrixD::Zero(4, 2), MatrixD::Zero(4, 2)), Error);
  EXPECT_THROW(moments.merge(CorrelationMoments(2)), Error);
}

TEST(RepeatCorrelation, IsTheMeanOverPairs) {
  const MatrixD signal = random_matrix(80, 3, 10);
  std::vector<MatrixD> repeats;
  for (unsigned seed : {11U, 12U, 13U}) repeats.push_back(signal + random_matrix(80, 3, seed));
  const VectorD r = repeat_correlation(repeats);
  for (Index v = 0; v < 3; ++v) {
    const double expected = plain_pearson(repeats[0].col(v), repeats[1].col(v)) +
                            plain_pearson(repeats[0].col(v), repeats[2].col(v)) +
                            plain_pearson(repeats[1].col(v), repeats[2].col(v));
    EXPECT_NEAR(r[v], expected / 3, 1e-14);
  }
  EXPECT_THROW(repeat_correlation(std::vector<MatrixD>{signal}), InputError);
}

TEST(NoiseCeiling, IsTheRootOfSpearmanBrown) {
  const VectorD ceiling = noise_ceiling(VectorD{{0.3, 1.0, 0.0, -0.2}}, 3);
  EXPECT_NEAR(ceiling[0], std::sqrt(0.9 / 1.6), 1e-15);
  EXPECT_EQ(ceiling.tail(3), (VectorD{{1.0, 0.0, 0.0}}));
  EXPECT_NEAR(noise_ceiling(VectorD{{0.3}}, 1)[0], std::sqrt(0.3), 1e-15);
}

TEST(NoiseCeiling, ApproachesTheCorrelationWithTheSignal) {
  const MatrixD signal = random_matrix(20000, 1, 14);
  const std::vector<MatrixD> repeats{signal + random_matrix(20000, 1, 15),
                                     signal + random_matrix(20000, 1, 16)};
  const VectorD r = repeat_correlation(repeats);
  EXPECT_NEAR(noise_ceiling(r, 2)[0], plain_pearson((repeats[0] + repeats[1]).col(0), signal.col(0)), 0.01);
  EXPECT_NEAR(noise_ceiling(r, 1)[0], plain_pearson(repeats[0].col(0), signal.col(0)), 0.01);
}

TEST(Summaries, MeanAndMedian) {
  EXPECT_EQ(mean(VectorD()), 0.0);
  EXPECT_EQ(median(VectorD()), 0.0);
  EXPECT_EQ(median(VectorD{{3.0, 1.0, 2.0}}), 2.0);
  EXPECT_EQ(median(VectorD{{4.0, 1.0, 3.0, 2.0}}), 2.5);
  EXPECT_EQ(mean(VectorD{{1.0, 2.0, 6.0}}), 3.0);
}

}  // namespace
}  // namespace cinecortex::encoding
