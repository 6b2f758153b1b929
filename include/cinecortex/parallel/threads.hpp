#pragma once
#include <functional>

#include "cinecortex/core/types.hpp"

namespace cinecortex::parallel {

int available_cores();  ///< cores this process may run on (affinity mask), before any rank binding is narrowed

/// Threads a rank should use, so that ranks × threads never exceeds the node's cores.
/// @param cores_per_node  available_cores(), or the sum over differently bound ranks
int threads_per_rank(int cores_per_node, int ranks_on_node);

void set_openmp_threads(int threads);
int openmp_threads();  ///< of a parallel region that starts now

/// Calls fn(0) … fn(count - 1), in any order, shared among this process's threads; throws what one of them threw.
/// Collective: no.
void for_each_in_threads(Index count, const std::function<void(Index)>& fn);

}  // namespace cinecortex::parallel
