#include "cinecortex/app/finish.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include "cinecortex/app/launch.hpp"
#include "cinecortex/core/error.hpp"

namespace {

using namespace cinecortex;
using app::finish;

template <class E, class... Args>
std::exception_ptr failure(Args... args) {
  return std::make_exception_ptr(E(args...));
}

/// What a shell sees if only one rank has this failure, and what is printed.
struct Ending {
  int code;
  std::string printed;
};
Ending finish_with(const parallel::Communicator& comm, int failing_rank, std::exception_ptr error) {
  ::testing::internal::CaptureStderr();
  const int code = finish(comm, comm.rank() == failing_rank ? error : nullptr);
  return {code, ::testing::internal::GetCapturedStderr()};
}

TEST(Finish, EveryRankGetsTheSameCodeAndRankZeroSpeaks) {
  const auto comm = parallel::Communicator::world();
  const int last = comm.size() - 1;
  EXPECT_EQ(finish(comm, nullptr), 0);

  const auto input = finish_with(comm, last, failure<InputError>("the file is wrong"));
  EXPECT_EQ(input.code, 2);
  EXPECT_EQ(input.printed, comm.root() ? "cinecortex: error: the file is wrong\n" : "");

  EXPECT_EQ(finish_with(comm, 0, failure<Interrupted>("stopped")).code, 4);

  const auto numerical = finish_with(comm, last, failure<NumericalError>("did not converge"));
  EXPECT_EQ(numerical.code, 3);
  if (comm.root()) {
    EXPECT_NE(numerical.printed.find("did not converge"), std::string::npos);
    if (comm.size() > 1) {
      EXPECT_NE(numerical.printed.find("rank " + std::to_string(last)), std::string::npos);
    }
  }
}

TEST(Finish, AnErrorThatAllRanksHaveIsPrintedOnce) {
  const auto comm = parallel::Communicator::world();
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(finish(comm, failure<StageError>(0, 1, "run s01e01a")), 3);
  const auto printed = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(printed.find("run s01e01a") != std::string::npos, comm.root());
}

TEST(Launch, RanksDoNotGetMoreCoresThanThereAre) {
  const auto comm = parallel::Communicator::world();
  const int threads = app::fair_threads(comm);
  EXPECT_GE(threads, 1);
  const auto node = comm.node();
  const auto all = node.sum(std::int64_t{threads});
  EXPECT_LE(all, std::max<std::int64_t>(sysconf(_SC_NPROCESSORS_ONLN), node.size()));
}

}  // namespace
