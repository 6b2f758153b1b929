#include "cinecortex/encoding/block_source.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "cinecortex/core/error.hpp"

namespace cinecortex::encoding {
namespace {

TEST(MemorySource, CutsTheMatrixIntoBlocks) {
  const MatrixD values = MatrixD::Random(7, 4);
  const MemorySource source(values, {3, 0, 4});
  EXPECT_EQ(source.blocks(), 3);
  EXPECT_EQ(source.columns(), 4);
  EXPECT_EQ(source.total_rows(), 7);
  EXPECT_EQ(source.read(0), values.topRows(3));
  EXPECT_EQ(source.read(1).rows(), 0);
  EXPECT_EQ(source.read(2, {1, 3}), values.block(3, 1, 4, 2));
  EXPECT_EQ(source.name(2), "block 2");
}

TEST(MemorySource, OneBlockByDefault) {
  const MatrixD values = MatrixD::Random(5, 2);
  EXPECT_EQ(MemorySource(values).blocks(), 1);
  EXPECT_EQ(MemorySource(values).read(0), values);
}

TEST(MemorySource, RefusesBlocksThatDoNotAddUp) {
  EXPECT_THROW(MemorySource(MatrixD(5, 2), {2, 2}), InputError);
  EXPECT_THROW(MemorySource(MatrixD(5, 2), {6, -1}), InputError);
}

TEST(MemorySource, SaysWhereAValueIsNotFinite) {
  MatrixD values = MatrixD::Zero(5, 3);
  values(3, 2) = std::numeric_limits<double>::infinity();
  const MemorySource source(values, {2, 3});
  EXPECT_EQ(source.read(1, {0, 2}), MatrixD::Zero(3, 2));
  try {
    source.read(1, {1, 3});
    ADD_FAILURE() << "accepted";
  } catch (const InputError& error) {
    EXPECT_STREQ(error.what(), "block 1: row 1, column 2 is inf; every value must be finite");
  }
}

}  // namespace
}  // namespace cinecortex::encoding
