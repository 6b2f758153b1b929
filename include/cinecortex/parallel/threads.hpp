#pragma once
#include <functional>

#include "cinecortex/core/types.hpp"

namespace cinecortex::parallel {

int available_cores();  ///< cores this process may run on (affinity mask), before any rank binding is narrowed

void set_openmp_threads(int threads);
int openmp_threads();  ///< of a parallel region that starts now

/// Calls fn(0) … fn(count - 1), shared among this process's threads: each takes the next when it is done with one. Throws
/// what one of them threw, after which no further one begins.
/// Collective: no.
void for_each_in_threads(Index count, const std::function<void(Index)>& fn);
/// The same by no more than `threads` of them.
void for_each_in_threads(Index count, Index threads, const std::function<void(Index)>& fn);

}  // namespace cinecortex::parallel
