#include "stack_weights.hpp"

#include "cinecortex/core/log.hpp"

namespace cinecortex::stages {

std::vector<double> mean_weights(const encoding::StackFit& fit, Index targets_global,
                                 const std::string& method, const std::vector<std::string>& models,
                                 const std::string& whose, const parallel::Communicator& comm) {
  std::vector<double> means(models.size(), 0.0);
  for (std::size_t k = 0; k < means.size(); ++k) means[k] = fit.weights.row(static_cast<Index>(k)).sum();
  comm.sum(std::span(means));
  for (double& mean : means) mean /= static_cast<double>(targets_global);
  if (!comm.root() || models.size() < 2 || !encoding::weights_are_shares(method)) return means;
  for (std::size_t k = 0; k < means.size(); ++k) {
    if (means[k] <= 0.9) continue;
    log::warn("{}{} takes {:.0f}% of the stack's weight: are the others redundant, or does it leak?", whose,
              models[k], 100 * means[k]);
  }
  return means;
}

}  // namespace cinecortex::stages
