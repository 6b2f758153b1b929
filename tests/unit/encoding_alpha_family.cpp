#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "../../src/encoding/alpha_family.hpp"
#include "cinecortex/encoding/ridge.hpp"

namespace cinecortex::encoding {
namespace {

std::vector<double> spread_alphas(int count) {
  std::vector<double> alphas;
  alphas.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) alphas.push_back(std::pow(10.0, 6.0 * i / std::max(count - 1, 1)));
  return alphas;
}

/// Of a design whose variances fall as j^-power.
VectorD falling(Index rank, double power) {
  const VectorD index = VectorD::LinSpaced(rank, 1.0, static_cast<double>(rank));
  return 100 * index.array().pow(-power).matrix();
}

std::vector<Range> ranges(const VectorD& values, const std::vector<double>& alphas, double weight = 1) {
  return ranges_of_terms(values, alphas, values, VectorD::Constant(std::ssize(alphas), weight), 1e-6, 60);
}

void expect_to_cover(const std::vector<Range>& parts, Index rank) {
  Index end = 0;
  for (const Range range : parts) {
    EXPECT_EQ(range.begin, end) << rank;
    EXPECT_LT(range.begin, range.end) << rank;
    end = range.end;
  }
  EXPECT_EQ(end, rank);
}

/// Products with all directions until nothing is left of the shrinkages beyond `rest`.
double products_needed(const VectorD& values, const std::vector<double>& alphas, std::vector<Range> parts,
                       double rest) {
  const AlphaFamily family(values, alphas, values, VectorD::Ones(std::ssize(alphas)), std::move(parts));
  Index terms = 1;
  while ((values.asDiagonal() * family.rest(terms)).norm() > rest) ++terms;
  return family.products(terms);
}

TEST(AlphaFamily, RangesOfDirectionsCoverAllAndNoMore) {
  for (Index rank = 1; rank < 460; rank += 3) {
    for (const double power : {1.0, 2.0}) {
      expect_to_cover(ranges(falling(rank, power), default_alphas()), rank);
      expect_to_cover(ranges(falling(rank, power), spread_alphas(20)), rank);
    }
  }
}

TEST(AlphaFamily, RangesAreThereForAnyNumberOfAlphas) {
  for (const int count : {1, 2, 31, 33, 300}) {
    expect_to_cover(ranges(falling(500, 1), spread_alphas(count)), 500);
  }
}

TEST(AlphaFamily, RangesSaveProducts) {
  const VectorD values = 8000 * falling(1000, 2);
  const auto parts = ranges(values, default_alphas());
  EXPECT_GT(parts.size(), 1U);
  EXPECT_LT(products_needed(values, default_alphas(), parts, 1e-6),
            0.75 * products_needed(values, default_alphas(), {{0, 1000}}, 1e-6));
}

TEST(AlphaFamily, NoDirectionIsCutOffWhereNothingCounts) {
  EXPECT_EQ(ranges(falling(500, 1), default_alphas(), 0).size(), 1U);
}

}  // namespace
}  // namespace cinecortex::encoding
