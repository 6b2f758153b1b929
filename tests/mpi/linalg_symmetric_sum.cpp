#include <gtest/gtest.h>

#include <limits>

#include "cinecortex/linalg/product_sum.hpp"
#include "random_matrix.hpp"

namespace cinecortex::linalg {
namespace {

TEST(SymmetricSum, AddsTrianglesOfAllRanksWhateverIsAboveThem) {
  const auto comm = parallel::Communicator::world();
  for (const Index size : {0, 1, 7, 1500}) {  // the last is sent in three pieces
    MatrixD expected = MatrixD::Zero(size, size), mine;
    for (int rank = 0; rank < comm.size(); ++rank) {
      const MatrixD a = random_matrix(size, size, static_cast<std::uint64_t>(rank));
      const MatrixD symmetric = a + a.transpose();
      expected += symmetric;
      if (rank == comm.rank()) mine = symmetric;
    }
    mine.triangularView<Eigen::StrictlyUpper>().setConstant(std::numeric_limits<double>::quiet_NaN());
    sum_symmetric(mine, comm);
    ASSERT_TRUE(mine.allFinite()) << size;
    EXPECT_LE((mine - expected).lpNorm<Eigen::Infinity>(), 1e-14) << size;
    EXPECT_EQ(mine, mine.transpose()) << size;
  }
}

}  // namespace
}  // namespace cinecortex::linalg
