#include "base_predictions.hpp"

namespace cinecortex::stages {

BasePredictors::BasePredictors(const Experiment& experiment, const Outputs& outputs,
                               const FeatureTable& features, int subject) {
  for (const auto& space : experiment.spaces) {
    spaces_.push_back({ScoreReader(outputs.pca(space.name), features, space.name),
                       io::Hdf5Reader(outputs.ridge(space.name, subject)),
                       {}});
    check_model_file(spaces_.back().ridge, "ridge");
  }
}

void BasePredictors::load(Range targets) {
  for (auto& space : spaces_) space.model = read_ridge(space.ridge, targets);
}

MatrixD BasePredictors::predict(std::size_t space, const encoding::Design& design, const std::string& run,
                                const std::vector<Index>& times, Index lowest) const {
  const auto& s = spaces_[space];
  return s.model.predict(design.rows_at(s.scores.read(run), times, lowest));
}

}  // namespace cinecortex::stages
