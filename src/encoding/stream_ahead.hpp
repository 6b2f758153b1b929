#pragma once
#include <future>
#include <utility>
#include <vector>

#include "ridge_problem.hpp"

namespace cinecortex::encoding {

/// What read(block) returns for each of some blocks, in their order; while one is used the next is read, in a thread
/// of its own. Both may read files (readers take turns, io/hdf5.hpp).   Collective: no.
template <class Read>
class ReadAhead {
 public:
  using Piece = std::invoke_result_t<Read&, Index>;

  ReadAhead(std::vector<Index> blocks, Read read) : blocks_(std::move(blocks)), read_(std::move(read)) {
    start();
  }
  ReadAhead(const ReadAhead&) = delete;
  ReadAhead& operator=(const ReadAhead&) = delete;

  /// @pre it was called less often than there are blocks.    @throws what read threw, and on a signal.
  Piece next() {
    interrupt::check();
    Piece piece = coming_.get();
    start();
    return piece;
  }

 private:
  void start() {
    if (started_ == blocks_.size()) return;
    coming_ = std::async(std::launch::async, [this, block = blocks_[started_++]] { return read_(block); });
  }

  std::vector<Index> blocks_;
  Read read_;
  std::size_t started_ = 0;
  std::future<Piece> coming_;  // last, so that its thread has ended before the others go
};

/// Calls use(block, read(block)) for this rank's blocks that have rows, reading ahead.
/// @pre neither makes a collective call.   Collective: over the problem's communicator, as `stream`.
template <class Read, class Use>
void stream_ahead(const RidgeProblem& problem, Read&& read, Use&& use) {
  parallel::agree(problem.comm(), [&] {
    const auto blocks = problem.blocks_with_rows_local();
    ReadAhead ahead(blocks, [&read](Index block) { return read(block); });
    for (const Index block : blocks) use(block, ahead.next());
  });
}

}  // namespace cinecortex::encoding
