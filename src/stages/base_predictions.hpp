#pragma once
#include <memory>
#include <string>
#include <vector>

#include "model_files.hpp"
#include "sources.hpp"

namespace cinecortex::stages {

/// The fitted base models of one subject, and what they predict.   Collective: no, none of it.
class BasePredictors {
 public:
  /// Opens the PCA and ridge files of every space.
  BasePredictors(const Experiment& experiment, const Outputs& outputs, const FeatureTable& features,
                 int subject);

  std::size_t spaces() const noexcept { return spaces_.size(); }
  bool has(std::size_t space, const std::string& run) const { return spaces_[space].scores.rows(run) > 0; }

  /// Loads the weights of some targets; predict() is for these from then on.
  void load(Range targets);

  /// Prediction [times.size(), targets] of one space for TRs of a run.
  /// @param lowest   see Design::rows_at
  MatrixD predict(std::size_t space, const encoding::Design& design, const std::string& run,
                  const std::vector<Index>& times, Index lowest) const;

 private:
  struct Space {
    ScoreReader scores;
    io::Hdf5Reader ridge;
    RidgeModel model;
  };
  std::vector<Space> spaces_;
};

}  // namespace cinecortex::stages
