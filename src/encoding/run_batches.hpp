#pragma once
#include <vector>

#include "cinecortex/core/types.hpp"

namespace cinecortex::encoding {

/// Runs whose products are made or summed together in float32.
struct RunBatch {
  Index number;  ///< among those of all parts
  std::vector<Index> blocks;
  Index rows;  ///< of all of them
};

/// Neighbouring runs of one label, put together until they have `enough` rows, and never beyond `most` (but for a run
/// that has more itself); without runs that have no rows. What they are does not depend on the parts, or the rounding of
/// float32 would; they are dealt whole, longest first.
/// @param rows, labels  [runs]
/// @return those of one of the parts.   Collective: no.
std::vector<RunBatch> batches_of_part(const std::vector<Index>& rows, const std::vector<Index>& labels,
                                      Index enough, Index most, Index part, Index parts);

/// Their runs, one batch after the other.
std::vector<Index> blocks_of(const std::vector<RunBatch>& batches);

}  // namespace cinecortex::encoding
