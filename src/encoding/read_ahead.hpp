#pragma once
#include <future>
#include <type_traits>
#include <utility>
#include <vector>

#include "cinecortex/core/interrupt.hpp"
#include "cinecortex/core/types.hpp"

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

}  // namespace cinecortex::encoding
