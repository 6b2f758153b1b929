#pragma once
#include <functional>

#include "cinecortex/core/types.hpp"

namespace cinecortex::encoding {

/// fn(tile) for ranges that make up [0, targets). Where there are many targets, several threads take some hundred each,
/// so that what a tile needs stays in a core's cache; few are one tile, whose products take all threads. On a GPU
/// tiles come one after the other, large ones.
/// @param fn  called from several threads at once    @throws what fn throws.   Collective: no.
void for_each_tile(Index targets, const std::function<void(Range)>& fn);

}  // namespace cinecortex::encoding
