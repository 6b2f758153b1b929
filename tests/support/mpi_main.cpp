// main() of the MPI test programs: every rank runs every test; a failure on any rank fails the program.
#include <gtest/gtest.h>

#include "cinecortex/parallel/communicator.hpp"

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  cinecortex::parallel::Environment environment(argc, argv);
  const auto world = cinecortex::parallel::Communicator::world();
  if (!world.root()) {
    // One rank tells the story; the others speak only when they fail.
    auto& listeners = ::testing::UnitTest::GetInstance()->listeners();
    class FailuresOnly : public ::testing::EmptyTestEventListener {
     public:
      explicit FailuresOnly(int rank) : rank_(rank) {}
      void OnTestPartResult(const ::testing::TestPartResult& result) override {
        if (result.failed()) {
          std::fprintf(stderr, "[rank %d] %s:%d: %s\n", rank_, result.file_name() ? result.file_name() : "?",
                       result.line_number(), result.message());
        }
      }

     private:
      int rank_;
    };
    delete listeners.Release(listeners.default_result_printer());
    listeners.Append(new FailuresOnly(world.rank()));
  }
  const int failed = RUN_ALL_TESTS();
  return static_cast<int>(world.max(std::int64_t{failed}));
}
