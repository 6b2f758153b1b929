#include <gtest/gtest.h>

#include "cinecortex/parallel/device_binding.hpp"

namespace cinecortex::parallel {
namespace {

using Lists = std::vector<std::vector<std::string>>;
using Taken = std::vector<std::size_t>;

TEST(Devices, AreSharedEquallyWhereAllRanksSeeAll) {
  EXPECT_EQ(deal_devices(Lists(4, {"A", "B", "C", "D"})), (Taken{0, 1, 2, 3}));
  EXPECT_EQ(deal_devices(Lists(5, {"A", "B"})), (Taken{0, 1, 0, 1, 0}));
  EXPECT_EQ(deal_devices(Lists(2, {"A", "B", "C"})), (Taken{0, 1}));
}

/// As Slurm's --gpus-per-task does: the same number, another GPU.
TEST(Devices, OfARanksOwnAreTaken) {
  EXPECT_EQ(deal_devices({{"A"}, {"B"}, {"C"}}), (Taken{0, 0, 0}));
  EXPECT_EQ(deal_devices({{"A", "B"}, {"C", "D"}}), (Taken{0, 0}));
}

TEST(Devices, RanksWithoutAChoiceComeFirst) {
  EXPECT_EQ(deal_devices({{"A", "B"}, {"A"}}), (Taken{1, 0}));
  EXPECT_EQ(deal_devices({{"A", "B", "C"}, {"B", "A"}, {"A"}}), (Taken{2, 0, 0}));
}

TEST(Devices, InAnotherOrderAreTheSame) {
  EXPECT_EQ(deal_devices({{"A", "B"}, {"B", "A"}}), (Taken{0, 0}));
}

}  // namespace
}  // namespace cinecortex::parallel
