#include "cinecortex/parallel/threads.hpp"

#include <omp.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <exception>

namespace cinecortex::parallel {

int available_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return std::max(1, CPU_COUNT(&set));
}

void set_openmp_threads(int threads) {
  omp_set_num_threads(threads);
}

int openmp_threads() {
  return omp_get_max_threads();
}

void for_each_in_threads(Index count, const std::function<void(Index)>& fn) {
  for_each_in_threads(count, openmp_threads(), fn);
}

void for_each_in_threads(Index count, Index threads, const std::function<void(Index)>& fn) {
  std::exception_ptr failure;
  std::atomic<bool> failed = false;
  const int at_most = static_cast<int>(std::clamp<Index>(threads, 1, openmp_threads()));
#pragma omp parallel for schedule(dynamic) num_threads(at_most)
  for (Index i = 0; i < count; ++i) {
    if (failed) continue;
    try {
      fn(i);
    } catch (...) {  // nothing may leave the parallel region
#pragma omp critical
      failure = std::current_exception();
      failed = true;
    }
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace cinecortex::parallel
