#include "run_batches.hpp"

#include <map>

#include "cinecortex/parallel/grid.hpp"

namespace cinecortex::encoding {

std::vector<RunBatch> batches_of_part(const std::vector<Index>& rows, const std::vector<Index>& labels,
                                      Index enough, Index most, Index part, Index parts) {
  std::vector<RunBatch> batches;
  std::map<Index, std::size_t> last;  // batch of each label
  for (std::size_t block = 0; block < rows.size(); ++block) {
    if (rows[block] == 0) continue;
    const auto [found, first] = last.try_emplace(labels[block], batches.size());
    std::size_t& at = found->second;
    if (first || batches[at].rows >= enough || batches[at].rows + rows[block] > most) {
      at = batches.size();
      batches.push_back({static_cast<Index>(at), {}, 0});
    }
    batches[at].blocks.push_back(static_cast<Index>(block));
    batches[at].rows += rows[block];
  }
  std::vector<Index> weights;
  for (const auto& batch : batches) weights.push_back(batch.rows);
  const auto dealt = parallel::deal_longest_first(weights, parts);
  std::vector<RunBatch> mine;
  for (const Index batch : dealt[static_cast<std::size_t>(part)]) {
    mine.push_back(std::move(batches[static_cast<std::size_t>(batch)]));
  }
  return mine;
}

std::vector<Index> blocks_of(const std::vector<RunBatch>& batches) {
  std::vector<Index> blocks;
  for (const auto& batch : batches) blocks.insert(blocks.end(), batch.blocks.begin(), batch.blocks.end());
  return blocks;
}

}  // namespace cinecortex::encoding
