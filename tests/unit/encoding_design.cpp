#include "cinecortex/encoding/design.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>

#include "cinecortex/core/error.hpp"

namespace cinecortex::encoding {
namespace {

/// Features whose every value tells its place: row · 100 + component.
MatrixD telling_features(Index rows, Index components) {
  MatrixD features(rows, components);
  for (Index i = 0; i < rows; ++i) {
    for (Index c = 0; c < components; ++c) features(i, c) = static_cast<double>(i * 100 + c);
  }
  return features;
}

std::vector<Index> times(Index first, Index last) {
  std::vector<Index> result(static_cast<std::size_t>(last - first));
  std::iota(result.begin(), result.end(), first);
  return result;
}

/// The feature row of each column of a design row, as telling_features tells it; -1 for a zero row.
std::vector<Index> feature_rows(const Design& design, Index length, Index time, Index lowest) {
  const MatrixD features = telling_features(length, 1).array() + 1.0;
  const MatrixD row = design.rows_at(features, {time}, lowest);
  std::vector<Index> found;
  for (Index j = 0; j < row.cols(); ++j) {
    found.push_back(row(0, j) == 0 ? -1 : static_cast<Index>(row(0, j) - 1) / 100);
  }
  return found;
}

using Rows = std::vector<Index>;

TEST(Design, ShiftIsTheFormulaOfThePaper) {
  std::mt19937 engine(2);
  for (int trial = 0; trial < 300; ++trial) {
    const auto draw = [&](Index low, Index high) {
      return std::uniform_int_distribution<Index>(low, high)(engine);
    };
    const Index window = draw(1, 6), delay = draw(0, 5), k = draw(1, 4), lo = draw(0, 6);
    const Index length = draw(window, 30);
    const MatrixD features = telling_features(length, k);
    const Design design = Design::shifted_window(delay, window, Edge::shift);
    const auto wanted = times(0, length + 8);
    const MatrixD rows = design.rows_at(features, wanted, lo);
    ASSERT_EQ(rows.cols(), k * window);
    for (const Index t : wanted) {
      Index i0 = std::max(lo, t - delay - window + 1);
      if (i0 + window > length) i0 = length - window;
      for (Index w = 0; w < window; ++w) {
        for (Index c = 0; c < k; ++c)
          ASSERT_EQ(rows(t, w * k + c), features(i0 + w, c)) << t << ' ' << w << ' ' << c;
      }
    }
  }
}

TEST(Design, ShiftByHand) {
  const Design design = Design::shifted_window(3, 2, Edge::shift);
  EXPECT_EQ(design.delays(), (Rows{4, 3}));
  EXPECT_EQ(feature_rows(design, 20, 10, 5), (Rows{6, 7}));
  EXPECT_EQ(feature_rows(design, 20, 5, 5),
            (Rows{5, 6}));  // the first rows all see the window that begins at lo
  EXPECT_EQ(feature_rows(design, 20, 5, 0), (Rows{1, 2}));
  EXPECT_EQ(feature_rows(design, 20, 0, 0), (Rows{0, 1}));
  EXPECT_EQ(feature_rows(design, 20, 25, 0), (Rows{18, 19}));  // beyond the last feature row
  EXPECT_EQ(feature_rows(design, 6, 5, 5), (Rows{4, 5}));      // the end wins over lo
}

TEST(Design, ShiftOfARunShorterThanTheWindowRepeatsItsFirstRow) {
  const Design design = Design::shifted_window(1, 4, Edge::shift);
  for (const Index t : {0, 2, 9}) EXPECT_EQ(feature_rows(design, 3, t, 0), (Rows{0, 0, 1, 2}));
  EXPECT_EQ(feature_rows(design, 1, 0, 5), (Rows{0, 0, 0, 0}));
  EXPECT_THROW(design.rows_at(MatrixD(0, 2), {0}, 0), InputError);
}

TEST(Design, ShiftMovesASetOfDelaysAsAWhole) {
  const Design design = Design::fir({0, 7, 2}, Edge::shift);  // spans 8 rows
  EXPECT_EQ(design.delays(), (Rows{7, 2, 0}));
  EXPECT_EQ(feature_rows(design, 30, 12, 0), (Rows{5, 10, 12}));
  EXPECT_EQ(feature_rows(design, 30, 3, 0), (Rows{0, 5, 7}));
  EXPECT_EQ(feature_rows(design, 30, 3, 4), (Rows{4, 9, 11}));
  EXPECT_EQ(feature_rows(design, 30, 31, 0), (Rows{22, 27, 29}));
  const Design future = Design::fir({1, -2}, Edge::shift);
  EXPECT_EQ(feature_rows(future, 10, 4, 0), (Rows{3, 6}));
  EXPECT_EQ(feature_rows(future, 10, 9, 0), (Rows{6, 9}));
  EXPECT_EQ(feature_rows(future, 10, 0, 0), (Rows{0, 3}));
}

TEST(Design, ZeroAndDropEqualThePlainDefinition) {
  std::mt19937 engine(3);
  for (int trial = 0; trial < 300; ++trial) {
    const auto draw = [&](Index low, Index high) {
      return std::uniform_int_distribution<Index>(low, high)(engine);
    };
    const Index length = draw(0, 20), k = draw(1, 3);
    std::vector<Index> delays = times(-6, 12);
    std::shuffle(delays.begin(), delays.end(), engine);
    delays.resize(static_cast<std::size_t>(draw(1, 5)));
    const Range wanted{draw(0, 4), draw(5, 25)};
    const MatrixD features = telling_features(length, k);
    const auto inside = [&](Index row) { return row >= 0 && row < length; };

    const Design zero = Design::fir(delays, Edge::zero), drop = Design::fir(delays, Edge::drop);
    std::sort(delays.rbegin(), delays.rend());
    const std::vector<Index> all = zero.rows(length, wanted);
    ASSERT_EQ(all, times(wanted.begin, wanted.end));
    const MatrixD rows = zero.rows_at(features, all, 3);
    std::vector<Index> kept;
    for (const Index t : all) {
      bool fits = true;
      for (std::size_t j = 0; j < delays.size(); ++j) {
        const Index row = t - delays[j];
        fits = fits && inside(row);
        for (Index c = 0; c < k; ++c) {
          const double expected = inside(row) ? features(row, c) : 0.0;
          ASSERT_EQ(rows(t - wanted.begin, static_cast<Index>(j) * k + c), expected);
        }
      }
      if (fits) kept.push_back(t);
    }
    ASSERT_EQ(drop.rows(length, wanted), kept);
    const MatrixD dropped = drop.rows_at(features, kept, 3);
    for (std::size_t i = 0; i < kept.size(); ++i) {
      ASSERT_EQ(dropped.row(static_cast<Index>(i)), rows.row(kept[i] - wanted.begin));
    }
  }
}

TEST(Design, DropRefusesRowsItLeavesOut) {
  const Design design = Design::shifted_window(2, 1, Edge::drop);
  EXPECT_THROW(design.rows_at(MatrixD::Zero(5, 1), {1}, 0), Error);
  EXPECT_EQ(design.rows(5, {0, 9}), times(2, 7));
  EXPECT_TRUE(design.rows(0, {0, 9}).empty());
}

TEST(Design, FitsIntoARunUnlessItSaysNothingOfItsTrs) {
  const std::vector<std::vector<Index>> sets{{0},  {3},     {4},     {5},    {9},   {-4},
                                             {-5}, {-3, 3}, {-2, 2}, {0, 4}, {1, 6}};
  for (const Range wanted : {Range{0, 5}, Range{1, 4}, Range{2, 7}, Range{3, 4}}) {
    for (const auto& delays : sets) {
      for (const Edge edge : {Edge::shift, Edge::zero, Edge::drop}) {
        const Design design = Design::fir(delays, edge);
        const MatrixD features = MatrixD::Random(5, 1);
        const auto times = design.rows(5, wanted);
        const MatrixD rows = design.rows_at(features, times, wanted.begin);
        bool says_something = rows.rows() > 0;
        if (edge == Edge::zero) says_something = rows.cwiseAbs().colwise().maxCoeff().minCoeff() > 0;
        if (edge == Edge::shift && wanted.size() > 1)
          says_something = (rows.rowwise() - rows.row(0)).cwiseAbs().maxCoeff() > 0;
        const std::vector<RunExtent> run{{.feature_rows = 5, .wanted = wanted, .lowest = wanted.begin}};
        const auto check = [&] { require_reach(design, run, "x"); };
        if (says_something) {
          EXPECT_NO_THROW(check()) << delays[0] << name(edge) << wanted.begin;
        } else {
          EXPECT_THROW(check(), InputError) << delays[0] << name(edge) << wanted.begin;
        }
      }
    }
  }
}

TEST(Design, OneRunThatItFitsIntoIsEnough) {
  const Design design = Design::fir({7}, Edge::zero);
  const RunExtent small{.feature_rows = 7, .wanted = {0, 7}}, large{.feature_rows = 9, .wanted = {0, 9}};
  EXPECT_NO_THROW(require_reach(design, {small, large}, "x"));
  EXPECT_NO_THROW(require_reach(design, {}, "x"));
  EXPECT_THROW(require_reach(design, {small, small}, "x"), InputError);
}

TEST(Design, EdgesAndDelaysAreChecked) {
  EXPECT_EQ(parse_edge("shift"), Edge::shift);
  EXPECT_EQ(parse_edge("zero"), Edge::zero);
  EXPECT_EQ(parse_edge("drop"), Edge::drop);
  EXPECT_THROW(parse_edge("wrap"), InputError);
  EXPECT_THROW(Design::shifted_window(3, 0, Edge::shift), InputError);
  EXPECT_THROW(Design::fir({}, Edge::zero), InputError);
  EXPECT_THROW(Design::fir({1, 2, 1}, Edge::zero), InputError);
  EXPECT_EQ(Design::shifted_window(-1, 3, Edge::zero).delays(), (Rows{1, 0, -1}));
  EXPECT_EQ(Design::fir({1, 5}, Edge::zero).columns(10), 20);
}

}  // namespace
}  // namespace cinecortex::encoding
