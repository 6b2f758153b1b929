#pragma once
#include <future>
#include <optional>

#include "ridge_problem.hpp"

namespace cinecortex::encoding {

/// Calls use(block, read(block)) for this rank's blocks that have rows; while one block is used the next one is
/// read, in a thread of its own. Both may read files (readers take turns, io/hdf5.hpp).
/// @pre neither makes a collective call.   Collective: over the problem's communicator, as `stream`.
template <class Read, class Use>
void stream_ahead(const RidgeProblem& problem, Read&& read, Use&& use) {
  using Piece = std::invoke_result_t<Read, Index>;
  std::optional<Index> waiting;
  std::future<Piece> next;
  const auto take = [&] {
    Piece piece = next.get();
    return piece;
  };
  parallel::agree(problem.comm(), [&] {
    for (const Index block : problem.blocks_with_rows_local()) {
      interrupt::check();
      std::optional<Piece> piece;
      if (waiting) piece.emplace(take());
      next = std::async(std::launch::async, [&read, block] { return read(block); });
      if (piece) use(*waiting, std::move(*piece));
      waiting = block;
    }
    if (waiting) {
      Piece piece = take();
      use(*waiting, std::move(piece));
    }
  });
}

}  // namespace cinecortex::encoding
