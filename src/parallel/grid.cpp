#include "cinecortex/parallel/grid.hpp"

#include <algorithm>
#include <numeric>

namespace cinecortex::parallel {

int target_parts(int size, Index targets, Index min_targets) {
  int best = 1;
  for (int parts = 1; parts <= size; ++parts) {
    if (size % parts == 0 && targets / parts >= min_targets) best = parts;
  }
  return best;
}

std::vector<std::vector<Index>> deal_longest_first(std::span<const Index> weights, Index parts) {
  std::vector<Index> order(weights.size());
  std::iota(order.begin(), order.end(), Index{0});
  std::stable_sort(order.begin(), order.end(), [&](Index a, Index b) {
    return weights[static_cast<std::size_t>(a)] > weights[static_cast<std::size_t>(b)];
  });
  std::vector<std::vector<Index>> dealt(static_cast<std::size_t>(parts));
  std::vector<Index> load(static_cast<std::size_t>(parts), 0);
  for (const Index item : order) {
    const auto lightest = std::min_element(load.begin(), load.end()) - load.begin();
    dealt[static_cast<std::size_t>(lightest)].push_back(item);
    load[static_cast<std::size_t>(lightest)] += weights[static_cast<std::size_t>(item)];
  }
  for (auto& items : dealt) std::sort(items.begin(), items.end());
  return dealt;
}

Grid::Grid(const Communicator& comm, Index targets_global, Index min_targets)
    : run_parts_(comm.size() / parallel::target_parts(comm.size(), targets_global, min_targets)),
      target_parts_(comm.size() / run_parts_),
      run_part_(comm.rank() % run_parts_),
      target_part_(comm.rank() / run_parts_),
      targets_local_{partition(targets_global, comm.size(), Index{target_part_} * run_parts_).begin,
                     partition(targets_global, comm.size(), Index{target_part_ + 1} * run_parts_ - 1).end},
      targets_owned_(partition(targets_global, comm.size(), comm.rank())),
      run_axis_(comm.split(target_part_, run_part_)) {}

}  // namespace cinecortex::parallel
