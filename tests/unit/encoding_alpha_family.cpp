#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "../../src/encoding/alpha_family.hpp"
#include "cinecortex/encoding/ridge.hpp"

namespace cinecortex::encoding {
namespace {

/// Of a design whose variances fall as j^-power.
void expect_ranges_to_cover(Index rank, double power, const std::vector<double>& alphas) {
  const VectorD index = VectorD::LinSpaced(rank, 1.0, static_cast<double>(rank));
  const VectorD values = 100 * index.array().pow(-power).matrix();
  Index end = 0;
  for (const Range range :
       ranges_of_terms(values, alphas, values, VectorD::Ones(std::ssize(alphas)), 1e-6, 60)) {
    EXPECT_EQ(range.begin, end) << rank;
    EXPECT_LT(range.begin, range.end) << rank;
    end = range.end;
  }
  EXPECT_EQ(end, rank);
}

TEST(AlphaFamily, RangesOfDirectionsCoverAllAndNoMore) {
  std::vector<double> many;
  for (int i = 0; i < 20; ++i) many.push_back(std::pow(10.0, 6.0 * i / 19));
  for (Index rank = 17; rank < 460; rank += 3) {
    for (const double power : {1.0, 2.0}) {
      expect_ranges_to_cover(rank, power, default_alphas());
      expect_ranges_to_cover(rank, power, many);
    }
  }
}

}  // namespace
}  // namespace cinecortex::encoding
