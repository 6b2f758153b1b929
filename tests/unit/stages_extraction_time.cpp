#include "../../src/stages/extraction_time.hpp"

#include <gtest/gtest.h>

namespace cinecortex::stages {
namespace {

TEST(PaceMeter, LeavesTheFirstChunkOutOnceThereAreOthers) {
  PaceMeter meter;
  EXPECT_FALSE(meter.a_tr());
  meter.add(64, {.computing_s = 640, .reading_s = 64});
  EXPECT_DOUBLE_EQ(meter.a_tr()->computing_s, 10) << "the network was loaded";
  meter.add(64, {.computing_s = 64, .reading_s = 32});
  EXPECT_DOUBLE_EQ(meter.a_tr()->computing_s, 1);
  meter.add(32, {.computing_s = 128, .reading_s = 64});
  EXPECT_DOUBLE_EQ(meter.a_tr()->computing_s, 2) << "by TRs, not by chunks";
  EXPECT_DOUBLE_EQ(meter.a_tr()->reading_s, 1);
}

}  // namespace
}  // namespace cinecortex::stages
