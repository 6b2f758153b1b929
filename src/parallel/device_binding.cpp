#include "cinecortex/parallel/device_binding.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

namespace cinecortex::parallel {
namespace {

std::vector<std::string> lines(const std::string& text) {
  std::vector<std::string> found;
  for (std::size_t begin = 0, end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1)
    found.push_back(text.substr(begin, end - begin));
  return found;
}

/// The lists of all ranks.   Collective: over comm.
std::vector<std::vector<std::string>> gather_lists(const std::vector<std::string>& mine,
                                                   const Communicator& comm) {
  std::string text;
  for (const auto& entry : mine) text += entry + '\n';
  std::vector<std::vector<std::string>> lists;
  for (const auto& of_rank : comm.gather(text)) lists.push_back(lines(of_rank));
  return lists;
}

/// Whether any rank sees a GPU.   Collective: over comm.
bool agree_on_kind(bool mine, const Communicator& comm) {
  const auto with = comm.sum(std::int64_t{mine});
  if (with == 0 || with == comm.size()) return with > 0;
  const auto without = comm.min(std::int64_t{mine ? comm.size() : comm.rank()});
  throw InputError("--device auto: " + std::to_string(with) + " of " + std::to_string(comm.size()) +
                   " ranks see a GPU, but rank " + std::to_string(without) +
                   " does not; allowed: --device cpu, or a GPU (and libtorch_cuda.so) for every rank");
}

}  // namespace

std::vector<std::size_t> deal_devices(const std::vector<std::vector<std::string>>& seen) {
  std::vector<std::size_t> order(seen.size()), taken(seen.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return seen[a].size() < seen[b].size(); });
  std::map<std::string, int> ranks_on;
  for (const std::size_t rank : order) {
    const auto& own = seen[rank];
    const auto least = std::min_element(
        own.begin(), own.end(), [&](const auto& a, const auto& b) { return ranks_on[a] < ranks_on[b]; });
    ++ranks_on[*least];
    taken[rank] = static_cast<std::size_t>(least - own.begin());
  }
  return taken;
}

std::optional<DeviceBinding> bind_device(const std::vector<std::string>& seen, const Communicator& comm) {
  if (!agree_on_kind(!seen.empty(), comm)) return std::nullopt;
  const Communicator node = comm.node();
  const auto lists = gather_lists(seen, node);
  const auto taken = deal_devices(lists);
  const auto self = static_cast<std::size_t>(node.rank());
  std::set<std::string> all, used;
  DeviceBinding binding{.device = taken[self], .ranks_on_it = 0};
  for (std::size_t rank = 0; rank < lists.size(); ++rank) {
    const auto& own = lists[rank][taken[rank]];
    all.insert(lists[rank].begin(), lists[rank].end());
    used.insert(own);
    if (own == seen[binding.device]) ++binding.ranks_on_it;
  }
  binding.devices = static_cast<int>(all.size());
  binding.devices_used = static_cast<int>(used.size());
  return binding;
}

}  // namespace cinecortex::parallel
