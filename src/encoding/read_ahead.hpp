#pragma once
#include <future>
#include <type_traits>
#include <utility>
#include <vector>

#include "cinecortex/core/clock.hpp"
#include "cinecortex/core/interrupt.hpp"
#include "cinecortex/core/types.hpp"
#include "cinecortex/parallel/threads.hpp"

namespace cinecortex::encoding {

/// What read(block) returns for each of some blocks, in their order. Once a block kept the processor waiting, for a disk or
/// a network, the next is always read while one is used, in a thread of its own. Before, blocks are read when they are asked
/// for: what comes from memory costs a processor's time, and beside products on every core it would cost that of all cores,
/// which wait for the one that is held up. Both sides may read files (readers take turns, io/hdf5.hpp).
/// Collective: no.
template <class Read>
class ReadAhead {
 public:
  using Piece = std::invoke_result_t<Read&, Index>;

  ReadAhead(std::vector<Index> blocks, Read read) : blocks_(std::move(blocks)), read_(std::move(read)) {}
  ReadAhead(const ReadAhead&) = delete;
  ReadAhead& operator=(const ReadAhead&) = delete;

  /// @pre it was called less often than there are blocks.    @throws what read threw, and on a signal.
  Piece next() {
    interrupt::check();
    Piece piece = coming_.valid() ? coming_.get() : read_here();
    if (waits_ && next_ < blocks_.size()) {
      coming_ = std::async(std::launch::async, [this, block = blocks_[next_++]] {
        parallel::set_openmp_threads(1);  // of this thread: the others are at work
        return read_(block);
      });
    }
    return piece;
  }

 private:
  Piece read_here() {
    constexpr double some = 0.5;  // of the time
    const Stopwatch clock;
    const double before = thread_seconds();
    Piece piece = read_(blocks_[next_++]);
    waits_ = thread_seconds() - before < some * clock.seconds();
    return piece;
  }

  std::vector<Index> blocks_;
  Read read_;
  std::size_t next_ = 0;
  bool waits_ = false;
  std::future<Piece> coming_;  // last, so that its thread has ended before the others go
};

}  // namespace cinecortex::encoding
