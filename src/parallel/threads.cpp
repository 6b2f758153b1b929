#include "cinecortex/parallel/threads.hpp"

#include <omp.h>
#include <sched.h>

#include <algorithm>

namespace cinecortex::parallel {

int available_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return std::max(1, CPU_COUNT(&set));
}

int threads_per_rank(int cores_per_node, int ranks_on_node) {
  return std::max(1, cores_per_node / std::max(1, ranks_on_node));
}

void set_openmp_threads(int threads) {
  omp_set_num_threads(threads);
}

}  // namespace cinecortex::parallel
