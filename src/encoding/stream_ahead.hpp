#pragma once
#include "read_ahead.hpp"
#include "ridge_problem.hpp"

namespace cinecortex::encoding {

/// Calls use(block, read(block)) for this rank's blocks that have rows, reading ahead where that pays (ReadAhead).
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
