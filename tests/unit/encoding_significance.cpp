#include "cinecortex/encoding/significance.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <random>
#include <set>

#include "cinecortex/core/error.hpp"
#include "random_matrix.hpp"

namespace cinecortex::encoding {
namespace {

/// Columns whose rows resemble their predecessors.
MatrixF autocorrelated(Index rows, Index columns, float correlation, unsigned seed) {
  MatrixF values = random_matrix<float>(rows, columns, seed);
  const float fresh = std::sqrt(1 - correlation * correlation);
  for (Index i = 1; i < rows; ++i) values.row(i) = correlation * values.row(i - 1) + fresh * values.row(i);
  return values;
}

double plain_pearson(const std::vector<double>& y, const std::vector<double>& p) {
  const auto n = static_cast<double>(y.size());
  const double mean_y = std::accumulate(y.begin(), y.end(), 0.0) / n;
  const double mean_p = std::accumulate(p.begin(), p.end(), 0.0) / n;
  double yy = 0, pp = 0, yp = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    yy += (y[i] - mean_y) * (y[i] - mean_y);
    pp += (p[i] - mean_p) * (p[i] - mean_p);
    yp += (y[i] - mean_y) * (p[i] - mean_p);
  }
  return yp / std::sqrt(yy * pp);
}

std::vector<double> column(const MatrixF& values, Index v) {
  std::vector<double> column;
  for (Index i = 0; i < values.rows(); ++i) column.push_back(static_cast<double>(values(i, v)));
  return column;
}

std::vector<double> reordered(const std::vector<double>& y, const std::vector<Range>& blocks,
                              const std::vector<Index>& order) {
  std::vector<double> moved;
  for (const Index block : order) {
    const Range from = blocks[static_cast<std::size_t>(block)];
    moved.insert(moved.end(), y.begin() + from.begin, y.begin() + from.end);
  }
  return moved;
}

double share_below(const VectorD& p, double level) {
  return static_cast<double>((p.array() < level).count()) / static_cast<double>(p.size());
}

TEST(PermutationBlocks, AreCutFromTheStartOfEveryRun) {
  const auto blocks = permutation_blocks({7, 0, 2, 6}, 3);
  EXPECT_EQ(blocks, (std::vector<Range>{{0, 3}, {3, 6}, {6, 7}, {7, 9}, {9, 12}, {12, 15}}));
  EXPECT_EQ(permutation_blocks({4}, 100), (std::vector<Range>{{0, 4}}));
  EXPECT_THROW(permutation_blocks({4}, 0), InputError);
}

TEST(BlockPermutations, OnlyBlocksOfEqualLengthChangePlaces) {
  const BlockPermutations permutations({23, 31, 13, 9}, {.permutations = 50, .block_tr = 5, .seed = 3});
  // Lengths: 5 5 5 5 3 | 5 5 5 5 5 5 1 | 5 5 3 | 5 4
  EXPECT_EQ(permutations.rows(), 76);
  EXPECT_NEAR(permutations.distinct(), std::tgamma(14.0) * 2, 1);
  const auto& blocks = permutations.blocks();
  std::vector<std::vector<Index>> seen;
  std::set<std::size_t> moved;
  for (Index k = 0; k < 50; ++k) {
    const auto order = permutations.order(k);
    auto sorted = order;
    std::sort(sorted.begin(), sorted.end());
    for (std::size_t b = 0; b < blocks.size(); ++b) {
      EXPECT_EQ(sorted[b], static_cast<Index>(b));
      EXPECT_EQ(blocks[b].size(), blocks[static_cast<std::size_t>(order[b])].size());
      if (order[b] != static_cast<Index>(b)) moved.insert(b);
    }
    EXPECT_EQ(std::find(seen.begin(), seen.end(), order), seen.end());
    seen.push_back(order);
  }
  EXPECT_EQ(moved.size(), blocks.size() - 2);  // all but those of 1 and of 4
}

TEST(BlockPermutations, DependOnTheSeedAlone) {
  const std::vector<Index> runs{40, 40};
  const BlockPermutations a(runs, {.permutations = 5, .block_tr = 4, .seed = 1});
  const BlockPermutations b(runs, {.permutations = 900, .block_tr = 4, .seed = 1});
  const BlockPermutations c(runs, {.permutations = 5, .block_tr = 4, .seed = 2});
  EXPECT_EQ(a.order(3), b.order(3));
  EXPECT_NE(a.order(3), c.order(3));
  EXPECT_NE(a.order(3), a.order(4));
}

TEST(BlockPermutations, EveryOrderIsEquallyLikely) {
  const BlockPermutations permutations({12}, {.permutations = 1, .block_tr = 3});
  std::map<std::vector<Index>, int> counts;
  for (Index k = 0; k < 24000; ++k) ++counts[permutations.order(k)];
  EXPECT_EQ(counts.size(), 24U);
  double chi_squared = 0;  // 23 degrees of freedom: above 50 once in a thousand seeds
  for (const auto& [order, count] : counts) chi_squared += (count - 1000.0) * (count - 1000.0) / 1000.0;
  EXPECT_LT(chi_squared, 50);
}

TEST(BlockPermutations, PIsTheRankAmongThePlainlyPermuted) {
  const std::vector<Index> runs{34, 27, 50};
  for (const Index block_tr : {1, 4, 10, 40}) {
    const BlockPermutations permutations(runs, {.permutations = 157, .block_tr = block_tr});
    const MatrixF y = 100 + autocorrelated(111, 37, 0.5F, 1).array();
    const MatrixF p = 0.2 * y + autocorrelated(111, 37, 0.5F, 2);
    const VectorD found = permutations.p_values(y, p);
    for (Index v = 0; v < 37; ++v) {
      const auto truth = column(y, v), prediction = column(p, v);
      const double r = plain_pearson(truth, prediction);
      int reached = 1;
      for (Index k = 0; k < 157; ++k) {
        const auto moved = reordered(truth, permutations.blocks(), permutations.order(k));
        reached += plain_pearson(moved, prediction) >= r - 1e-7;
      }
      EXPECT_EQ(found[v], reached / 158.0) << "target " << v << ", blocks of " << block_tr;
    }
  }
}

TEST(BlockPermutations, PNearsTheShareOfAllPermutations) {
  // Five blocks of two, one of one: 120 permutations.
  const std::vector<Index> runs{7, 4};
  const Index draws = 20000;
  const BlockPermutations permutations(runs, {.permutations = draws, .block_tr = 2});
  EXPECT_EQ(permutations.distinct(), 120);
  const MatrixF y = random_matrix<float>(11, 20, 3);
  const MatrixF p = 0.3 * y + random_matrix<float>(11, 20, 4);
  const VectorD found = permutations.p_values(y, p);
  for (Index v = 0; v < 20; ++v) {
    const auto truth = column(y, v), prediction = column(p, v);
    const double r = plain_pearson(truth, prediction);
    std::vector<Index> of_two{0, 1, 2, 4, 5};
    int reached = 0;
    do {
      std::vector<Index> order{of_two[0], of_two[1], of_two[2], 3, of_two[3], of_two[4]};
      reached += plain_pearson(reordered(truth, permutations.blocks(), order), prediction) >= r - 1e-7;
    } while (std::next_permutation(of_two.begin(), of_two.end()));
    const double exact = reached / 120.0;
    EXPECT_NEAR(found[v], exact, 4.5 * std::sqrt(exact * (1 - exact) / draws) + 1.0 / draws);
  }
}

TEST(BlockPermutations, ATargetsPDoesNotDependOnItsNeighbours) {
  const BlockPermutations permutations({60, 45}, {.permutations = 99});
  const MatrixF y = random_matrix<float>(105, 70, 5);
  const MatrixF p = 0.1 * y + random_matrix<float>(105, 70, 6);
  const VectorD all = permutations.p_values(y, p);
  VectorD parts(70);
  for (Index part = 0; part < 3; ++part) {
    const Range targets = partition(70, 3, part);
    parts.segment(targets.begin, targets.size()) = permutations.p_values(
        y.middleCols(targets.begin, targets.size()), p.middleCols(targets.begin, targets.size()));
  }
  EXPECT_EQ(parts, all);
  EXPECT_EQ(permutations.p_values(MatrixF(105, 0), MatrixF(105, 0)).size(), 0);
}

TEST(BlockPermutations, AutocorrelatedNoiseIsFoundSignificantAsOftenAsItShould) {
  const std::vector<Index> runs{250, 250, 250, 250};
  const MatrixF y = autocorrelated(1000, 3000, 0.6F, 7);
  const MatrixF p = autocorrelated(1000, 3000, 0.6F, 8);
  const VectorD blocks = BlockPermutations(runs, {.permutations = 199}).p_values(y, p);
  const VectorD single = BlockPermutations(runs, {.permutations = 199, .block_tr = 1}).p_values(y, p);
  EXPECT_NEAR(share_below(blocks, 0.05), 0.055, 0.015);
  EXPECT_GT(share_below(single, 0.05), 0.10);
  EXPECT_EQ((q_values(blocks).array() < 0.05).count(), 0);
}

TEST(BlockPermutations, APlantedSignalIsFound) {
  const std::vector<Index> runs{300, 300};
  const MatrixF noise = autocorrelated(600, 200, 0.6F, 9);
  const MatrixF p = autocorrelated(600, 200, 0.6F, 10);
  MatrixF y = noise;
  y.leftCols(50) += 0.5 * p.leftCols(50);
  const VectorD q = q_values(BlockPermutations(runs, {}).p_values(y, p));
  EXPECT_GE((q.head(50).array() < 0.05).count(), 49);
  EXPECT_LE((q.tail(150).array() < 0.05).count(), 8);
}

TEST(BlockPermutations, NothingIsSignificantWhereNothingVariesOrMoves) {
  MatrixF y = random_matrix<float>(50, 4, 11);
  MatrixF p = y;
  y.col(1).setConstant(0.1F);
  p.col(2).setConstant(1e6F / 3);
  const VectorD found = BlockPermutations({50}, {.permutations = 99, .block_tr = 5}).p_values(y, p);
  EXPECT_EQ(found[0], 0.01);
  EXPECT_EQ(found[1], 1.0);
  EXPECT_EQ(found[2], 1.0);
  const BlockPermutations stuck({50}, {.permutations = 99, .block_tr = 50});
  EXPECT_EQ(stuck.order(7), std::vector<Index>{0});
  EXPECT_EQ(stuck.distinct(), 1);
  EXPECT_EQ(stuck.p_values(y, p), VectorD::Ones(4));
  EXPECT_THROW(BlockPermutations({50}, {.permutations = 0}), InputError);
  EXPECT_THROW(stuck.p_values(y, p.leftCols(3)), Error);
}

TEST(QValues, EqualTheNaiveDefinition) {
  std::mt19937_64 engine(12);
  for (const int steps : {1000000, 20}) {  // without and with ties
    std::uniform_int_distribution<int> step(1, steps);
    VectorD p(83);
    for (double& value : p) value = std::pow(static_cast<double>(step(engine)) / steps, 3);
    const VectorD q = q_values(p);
    for (Index v = 0; v < p.size(); ++v) {
      double least = 1;
      for (Index w = 0; w < p.size(); ++w) {
        if (p[w] < p[v]) continue;
        const auto rank = static_cast<double>((p.array() <= p[w]).count());
        least = std::min(least, p[w] * 83 / rank);
      }
      EXPECT_NEAR(q[v], least, 1e-15);
    }
  }
  EXPECT_EQ(q_values(VectorD()).size(), 0);
  EXPECT_EQ(q_values(VectorD{{0.04}}), (VectorD{{0.04}}));
}

}  // namespace
}  // namespace cinecortex::encoding
