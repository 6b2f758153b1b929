#include <gtest/gtest.h>

#include "cinecortex/parallel/device_binding.hpp"

namespace cinecortex::parallel {
namespace {

TEST(BindDevice, SharesTheGpusOfANode) {
  const auto world = Communicator::world();
  const auto binding = bind_device({"GPU-a", "GPU-b"}, world);
  ASSERT_TRUE(binding.has_value());
  EXPECT_EQ(binding->device, static_cast<std::size_t>(world.rank() % 2));
  EXPECT_EQ(binding->ranks_on_it, (world.size() + 1 - world.rank() % 2) / 2);
  EXPECT_EQ(binding->devices, 2);
  EXPECT_EQ(binding->devices_used, std::min(2, world.size()));
}

TEST(BindDevice, TakesTheOneThatARankWasGiven) {
  const auto world = Communicator::world();
  const auto binding = bind_device({"GPU-" + std::to_string(world.rank())}, world);
  ASSERT_TRUE(binding.has_value());
  EXPECT_EQ(binding->device, 0u);
  EXPECT_EQ(binding->ranks_on_it, 1);
  EXPECT_EQ(binding->devices_used, world.size());
}

TEST(BindDevice, IsNothingWithoutGpus) {
  EXPECT_FALSE(bind_device({}, Communicator::world()).has_value());
}

TEST(BindDevice, RefusesAMixtureOnEveryRank) {
  const auto world = Communicator::world();
  if (world.size() == 1) GTEST_SKIP() << "one rank is no mixture";
  const bool last = world.rank() == world.size() - 1;
  std::string message;
  try {
    bind_device(last ? std::vector<std::string>{} : std::vector<std::string>{"GPU-a"}, world);
  } catch (const InputError& error) {
    message = error.what();
  }
  EXPECT_NE(message.find(std::to_string(world.size() - 1) + " of " + std::to_string(world.size())),
            std::string::npos)
      << message;
  EXPECT_NE(message.find("rank " + std::to_string(world.size() - 1) + " does not"), std::string::npos);
}

}  // namespace
}  // namespace cinecortex::parallel
