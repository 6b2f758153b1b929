#include <gtest/gtest.h>

#include <Eigen/Cholesky>
#include <algorithm>
#include <numeric>

#include "cinecortex/core/error.hpp"
#include "cinecortex/encoding/joined_source.hpp"
#include "cinecortex/encoding/variance_partition.hpp"
#include "random_matrix.hpp"

// Every set of spaces is compared with separate fits on rows: the normal equations for each fold and alpha, and scores
// of the predictions themselves.
namespace cinecortex::encoding {
namespace {

using parallel::Communicator;
using Rows = std::vector<Index>;

double largest(const MatrixD& difference) {
  return difference.size() == 0 ? 0.0 : difference.cwiseAbs().maxCoeff();
}

/// Spaces of very different scales, and responses that follow parts of them.
struct Data {
  std::vector<MatrixD> spaces;
  MatrixD y;
  Rows block_rows, group_of;  ///< the last group is held out
  Index folds = 3;

  Index rows() const { return y.rows(); }
  std::vector<bool> rows_of(Index group) const {
    std::vector<bool> chosen;
    for (std::size_t block = 0; block < block_rows.size(); ++block) {
      chosen.insert(chosen.end(), static_cast<std::size_t>(block_rows[block]), group_of[block] == group);
    }
    return chosen;
  }
};

Data random_data(Index count, Index targets, unsigned seed) {
  Data data{
      .spaces = {}, .y = {}, .block_rows = {21, 17, 0, 30, 19, 25, 14}, .group_of = {0, 1, 1, 2, 0, 3, 3}};
  const Index n = std::accumulate(data.block_rows.begin(), data.block_rows.end(), Index{0});
  const MatrixD common = random_matrix(n, 2, seed);
  data.y = 3.0 * random_matrix(n, targets, seed + 1).array() + 5.0;
  for (Index k = 0; k < count; ++k) {
    const auto step = static_cast<unsigned>(k);
    MatrixD x = random_matrix(n, 3 + k, seed + 10 + step);
    x.leftCols(2) += common;
    data.y += x * random_matrix(3 + k, targets, seed + 20 + step);
    data.spaces.push_back(std::pow(10.0, static_cast<double>(2 * k) - 2.0) * (x.array() + 1.0).matrix());
  }
  return data;
}

MatrixD select_rows(const MatrixD& all, const std::vector<bool>& chosen) {
  Rows rows;
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    if (chosen[i]) rows.push_back(static_cast<Index>(i));
  }
  return all(rows, Eigen::all);
}

/// R² and r of predictions, about the held-out rows' own means.
std::pair<VectorD, VectorD> plain_scores(const MatrixD& truth, const MatrixD& prediction) {
  VectorD r2(truth.cols()), r(truth.cols());
  for (Index v = 0; v < truth.cols(); ++v) {
    const VectorD y = truth.col(v).array() - truth.col(v).mean();
    const VectorD p = prediction.col(v).array() - prediction.col(v).mean();
    r2[v] = 1 - (truth.col(v) - prediction.col(v)).squaredNorm() / y.squaredNorm();
    r[v] = y.dot(p) / (y.norm() * p.norm());
  }
  return {r2, r};
}

MatrixD plain_prediction(const MatrixD& x, const MatrixD& y, double alpha, const MatrixD& new_x) {
  const Eigen::RowVectorXd mean_x = x.colwise().mean(), mean_y = y.colwise().mean();
  const MatrixD xc = x.rowwise() - mean_x, yc = y.rowwise() - mean_y;
  const Eigen::MatrixXd gram = xc.transpose() * xc + alpha * MatrixD::Identity(x.cols(), x.cols());
  const MatrixD weights = gram.ldlt().solve(xc.transpose() * yc);
  return ((new_x.rowwise() - mean_x) * weights).rowwise() + mean_y;
}

struct PlainFit {
  VectorD alpha, r2, r;
};

/// One set of spaces, fitted from rows.
PlainFit plain_fit(const Data& data, const SpaceSet& set, const PartitionOptions& options) {
  const auto held_out = data.rows_of(data.folds);
  auto kept = held_out;
  kept.flip();
  Index columns = 0, all_columns = 0;
  for (const auto& space : data.spaces) all_columns += space.cols();
  for (const Index k : set) columns += data.spaces[static_cast<std::size_t>(k)].cols();
  MatrixD x(data.rows(), columns);
  Index begin = 0;
  for (const Index k : set) {
    const MatrixD& space = data.spaces[static_cast<std::size_t>(k)];
    const MatrixD fit = select_rows(space, kept);
    const double variance =
        (fit.rowwise() - fit.colwise().mean()).squaredNorm() / static_cast<double>(fit.rows());
    const double share = static_cast<double>(all_columns) / static_cast<double>(data.spaces.size());
    x.middleCols(begin, space.cols()) = space * std::sqrt(share / variance);
    begin += space.cols();
  }
  const auto count = static_cast<Index>(options.alphas.size());
  MatrixD curve = MatrixD::Zero(count, data.y.cols());
  for (Index fold = 0; fold < data.folds; ++fold) {
    const auto test = data.rows_of(fold);
    auto train = kept;
    for (std::size_t i = 0; i < train.size(); ++i) train[i] = train[i] && !test[i];
    for (Index a = 0; a < count; ++a) {
      const auto prediction =
          plain_prediction(select_rows(x, train), select_rows(data.y, train),
                           options.alphas[static_cast<std::size_t>(a)], select_rows(x, test));
      curve.row(a) += plain_scores(select_rows(data.y, test), prediction).first.transpose();
    }
  }
  if (!options.per_target) curve = curve.rowwise().mean().eval().replicate(1, data.y.cols()).eval();
  PlainFit fit{VectorD(data.y.cols()), VectorD(data.y.cols()), VectorD(data.y.cols())};
  for (Index v = 0; v < data.y.cols(); ++v) {
    Index best = 0;
    curve.col(v).maxCoeff(&best);
    fit.alpha[v] = options.alphas[static_cast<std::size_t>(best)];
    const auto prediction = plain_prediction(select_rows(x, kept), select_rows(data.y, kept), fit.alpha[v],
                                             select_rows(x, held_out));
    const auto [r2, r] = plain_scores(select_rows(data.y, held_out), prediction);
    fit.r2[v] = r2[v];
    fit.r[v] = r[v];
  }
  return fit;
}

VariancePartition partition_of(const Data& data, const PartitionOptions& options, const Communicator& comm) {
  std::vector<MemorySource> sources;
  for (const auto& space : data.spaces) sources.emplace_back(space, data.block_rows);
  std::vector<const BlockSource*> parts;
  for (const auto& source : sources) parts.push_back(&source);
  const JoinedSource x(parts);
  auto groups =
      group_statistics(x, MemorySource(data.y, data.block_rows), data.group_of, data.folds + 1, comm);
  auto held_out = std::move(groups.back());
  groups.pop_back();
  return partition_variance(std::move(groups), std::move(held_out), x.parts_columns(), options, comm);
}

VectorD own(const VectorD& all, const Communicator& comm) {
  const Range local = partition(all.size(), comm.size(), comm.rank());
  return all.segment(local.begin, local.size());
}

TEST(VariancePartition, EverySetEqualsSeparateFitsOnRows) {
  const auto comm = Communicator::world();
  const PartitionOptions options{.alphas = {1000, 100, 10, 1, 0.1}, .per_target = true};
  for (const Index count : {2, 3, 5}) {
    const Data data = random_data(count, 7, 100U + static_cast<unsigned>(count));
    const auto result = partition_of(data, options, comm);
    EXPECT_EQ(result.fit_rows, 87);
    EXPECT_EQ(result.held_out_rows, 39);
    EXPECT_EQ(result.fits.size(), count == 2 ? 3U : count == 3 ? 7U : 21U);
    for (const auto& fit : result.fits) {
      const auto plain = plain_fit(data, fit.spaces, options);
      EXPECT_EQ(fit.alpha, own(plain.alpha, comm));
      EXPECT_LT(largest(fit.r2 - own(plain.r2, comm)), 1e-8);
      EXPECT_LT(largest(fit.r - own(plain.r, comm)), 1e-8);
    }
  }
}

TEST(VariancePartition, PartsAreInclusionAndExclusion) {
  const auto comm = Communicator::world();
  const PartitionOptions options{.alphas = {10, 1}, .per_target = true};
  const Data data = random_data(3, 5, 7);
  const auto result = partition_of(data, options, comm);
  const auto r2 = [&](const SpaceSet& set) {
    return std::find_if(result.fits.begin(), result.fits.end(),
                        [&](const auto& fit) { return fit.spaces == set; })
        ->r2;
  };
  const VectorD a = r2({0}), b = r2({1}), c = r2({2}), ab = r2({0, 1}), ac = r2({0, 2}), bc = r2({1, 2}),
                abc = r2({0, 1, 2});
  EXPECT_LT(largest(result.unique.row(0).transpose() - (abc - bc)), 1e-14);
  EXPECT_LT(largest(result.unique.row(2).transpose() - (abc - ab)), 1e-14);
  EXPECT_EQ(result.pairs, (std::vector<std::pair<Index, Index>>{{0, 1}, {0, 2}, {1, 2}}));
  EXPECT_LT(largest(result.shared.row(0).transpose() - (ac + bc - abc - c)), 1e-14);
  EXPECT_LT(largest(result.shared.row(2).transpose() - (ab + ac - abc - a)), 1e-14);
  EXPECT_LT(largest(result.rest - (a + b + c - ab - ac - bc + abc)), 1e-13);
  const VectorD sum =
      (result.unique.colwise().sum() + result.shared.colwise().sum()).transpose() + result.rest;
  EXPECT_LT(largest(sum - abc), 1e-13);
}

TEST(VariancePartition, TwoSpacesShareWithoutRest) {
  const auto comm = Communicator::world();
  const auto result = partition_of(random_data(2, 4, 8), {.alphas = {1}}, comm);
  EXPECT_LT(largest(result.rest), 1e-15);
  const VectorD both = result.fits[0].r2;
  EXPECT_LT(largest((result.unique.colwise().sum() + result.shared.row(0)).transpose() - both), 1e-13);
}

TEST(VariancePartition, FindsWhatWasPlanted) {
  const auto comm = Communicator::world();
  Data data{.spaces = {}, .y = {}, .block_rows = {400, 400, 400, 800}, .group_of = {0, 1, 2, 3}};
  const MatrixD common = random_matrix(2000, 3, 1), own_a = random_matrix(2000, 2, 2),
                own_b = random_matrix(2000, 2, 3);
  MatrixD a(2000, 5), b(2000, 5);
  a << common, own_a;
  b << own_b, common * random_matrix(3, 3, 4);
  data.spaces = {a, 1000.0 * b, random_matrix(2000, 4, 5)};
  data.y = random_matrix(2000, 3, 6);
  data.y.col(0) += own_a * VectorD{{1, 1}};      // a alone: 2/3 of the variance
  data.y.col(1) += common * VectorD{{1, 0, 0}};  // a and b: 1/2
  const auto result = partition_of(data, {.alphas = {100, 10, 1, 0.1}}, comm);
  const Range local = partition(3, comm.size(), comm.rank());
  const MatrixD unique_expected{{0.667, 0, 0}, {0, 0, 0}, {0, 0, 0}};
  const MatrixD shared_expected{{0, 0.5, 0}, {0, 0, 0}, {0, 0, 0}};
  EXPECT_LT(largest(result.unique - unique_expected.middleCols(local.begin, local.size())), 0.05);
  EXPECT_LT(largest(result.shared - shared_expected.middleCols(local.begin, local.size())), 0.05);
  EXPECT_LT(largest(result.rest), 0.05);
}

TEST(VariancePartition, AlphasMayBeShared) {
  const auto comm = Communicator::world();
  const PartitionOptions options{.alphas = {1000, 100, 10, 1, 0.1}, .per_target = false};
  const Data data = random_data(2, 6, 9);
  for (const auto& fit : partition_of(data, options, comm).fits) {
    const auto plain = plain_fit(data, fit.spaces, options);
    EXPECT_EQ(fit.alpha, own(plain.alpha, comm));
    EXPECT_LT(largest(fit.r2 - own(plain.r2, comm)), 1e-8);
  }
}

TEST(VariancePartition, ScalesAndMeansOfSpacesDoNotMatter) {
  const auto comm = Communicator::world();
  Data data = random_data(3, 4, 10);
  const auto before = partition_of(data, {.alphas = {10, 1, 0.1}}, comm);
  data.spaces[1] = (1e4 * data.spaces[1]).array() + 1e3;
  const auto after = partition_of(data, {.alphas = {10, 1, 0.1}}, comm);
  EXPECT_LT(largest(before.unique - after.unique), 1e-7);
  EXPECT_LT(largest(before.shared - after.shared), 1e-7);
}

TEST(VariancePartition, WorksOnPartOfTheRanks) {
  const auto world = Communicator::world();
  const auto half = world.split(world.rank() % 2, world.rank());
  const Data data = random_data(2, 5, 20U + static_cast<unsigned>(world.rank() % 2));
  const PartitionOptions options{.alphas = {10, 1}};
  const auto result = partition_of(data, options, half);
  EXPECT_LT(largest(result.fits[0].r2 - own(plain_fit(data, {0, 1}, options).r2, half)), 1e-8);
}

template <class Fn>
std::string complaint(Fn fn) {
  try {
    fn();
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

TEST(VariancePartition, WhatIsWrongIsSaidOnEveryRank) {
  const auto comm = Communicator::world();
  EXPECT_NE(
      complaint([&] { partition_of(random_data(1, 3, 1), {.alphas = {1}}, comm); }).find("at least two"),
      std::string::npos);
  Data data = random_data(2, 3, 1);
  data.group_of = {0, 0, 1, 0, 0, 3, 3};
  EXPECT_NE(complaint([&] { partition_of(data, {.alphas = {1}}, comm); }).find("1 of 3 folds"),
            std::string::npos);
  data.group_of = {0, 1, 1, 2, 0, 2, 2};
  EXPECT_NE(complaint([&] { partition_of(data, {.alphas = {1}}, comm); }).find("0 held-out rows"),
            std::string::npos);
}

TEST(GroupStatistics, AreThoseOfTheRowsInEitherPrecision) {
  const auto comm = Communicator::world();
  const Data data = random_data(2, 5, 30);
  const MemorySource x(data.spaces[0], data.block_rows), y(data.y, data.block_rows);
  const auto groups = group_statistics(x, y, data.group_of, 4, comm);
  const Range local = partition(5, comm.size(), comm.rank());
  for (Index group = 0; group < 4; ++group) {
    const CentredStatistics centred(groups[static_cast<std::size_t>(group)]);
    const Range all{0, local.size()};
    const MatrixD rows = select_rows(data.spaces[0], data.rows_of(group)),
                  all_y = select_rows(data.y, data.rows_of(group));
    const MatrixD targets = all_y.middleCols(local.begin, local.size());
    const MatrixD xc = rows.rowwise() - rows.colwise().mean(),
                  yc = targets.rowwise() - targets.colwise().mean();
    EXPECT_EQ(centred.rows(), rows.rows());
    EXPECT_LT(largest(centred.gram() - xc.transpose() * xc), 1e-12);
    EXPECT_LT(largest(centred.cross(all) - xc.transpose() * yc), 1e-11);
    EXPECT_LT(largest(centred.mean_y(all) - targets.colwise().mean().transpose()), 1e-12);
    EXPECT_LT(largest(centred.squares_y(all) - yc.colwise().squaredNorm().transpose()), 1e-9);
  }
}

TEST(JoinedSource, PutsColumnsSideBySide) {
  const MatrixD a = random_matrix(7, 2, 1), b = random_matrix(7, 3, 2), c = random_matrix(7, 1, 3);
  const MemorySource x(a, {3, 4}), y(b, {3, 4}), z(c, {3, 4}), other(c, {4, 3});
  const JoinedSource joined({&x, &y, &z});
  MatrixD all(7, 6);
  all << a, b, c;
  EXPECT_EQ(joined.columns(), 6);
  EXPECT_EQ(joined.read(1), all.bottomRows(4));
  EXPECT_EQ(joined.read(0, {1, 4}), all.block(0, 1, 3, 3));
  EXPECT_EQ(joined.read_single(1, {3, 6}), all.block(3, 3, 4, 3).cast<float>());
  EXPECT_EQ(joined.parts_columns(), (std::vector<Range>{{0, 2}, {2, 5}, {5, 6}}));
  EXPECT_FALSE(joined.single_precision());
  EXPECT_NE(complaint([&] { JoinedSource({&x, &other}); }).find("block 0"), std::string::npos);
}

}  // namespace
}  // namespace cinecortex::encoding
