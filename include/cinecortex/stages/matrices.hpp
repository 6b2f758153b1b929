#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cinecortex/encoding/sweep.hpp"
#include "cinecortex/parallel/communicator.hpp"
#include "cinecortex/stages/experiment.hpp"
#include "cinecortex/stages/summary.hpp"

/// The same verbs on the user's own matrices (X.npy, or file.h5:/path), without an experiment. Rows are TRs;
/// `groups` is a vector of labels, one a row: equal neighbours form a run. Without it all rows are one run.
/// Collective over comm, all of them. Outputs are those of the experiment at the root of one HDF5 file.
namespace cinecortex::stages::matrices {

/// How to go about it; nothing here changes a result.
struct Handling {
  bool force = false;       ///< redo an output that is there, made of the same inputs and settings
  bool dry_run = false;     ///< check the inputs, say what would be done, write nothing
  double memory_bytes = 0;  ///< most that this rank may hold, everything included
};

struct PcaConfig {
  std::string x;
  encoding::PcaOptions options{.fit_every = 1};
  std::string groups;  ///< "" for none
  std::filesystem::path output;
  Handling handling;
};
Summary pca(const PcaConfig& config, const parallel::Communicator& comm);

struct RidgeConfig {
  std::string x, y, groups;
  encoding::RidgeOptions options;
  std::optional<encoding::Design> design;  ///< --delays, --edge
  std::filesystem::path output;
  Handling handling;
};
Summary ridge(const RidgeConfig& config, const parallel::Communicator& comm);

struct StackConfig {
  std::string y, groups;
  std::vector<std::string> predictions;
  std::string method = "simplex";
  std::filesystem::path output;
  Handling handling;
};
Summary stack(const StackConfig& config, const parallel::Communicator& comm);

struct PredictConfig {
  std::filesystem::path model;  ///< written by ridge
  std::string x, groups;
  std::filesystem::path output;  ///< .npy (float32), or .h5 with /prediction
  Handling handling;
};
Summary predict(const PredictConfig& config, const parallel::Communicator& comm);

struct ScoreConfig {
  std::string y, prediction, groups;
  encoding::SignificanceOptions significance;
  std::filesystem::path output;  ///< "" for none: .csv, one row a target
  Handling handling;
};
Summary score(const ScoreConfig& config, const parallel::Communicator& comm);

struct SweepConfig {
  std::string x, y, groups;
  stages::SweepConfig sweep;  ///< components: leading columns of x; delay and window: 0 and 1 where not given
  encoding::Edge edge = encoding::Edge::shift;
  encoding::SweepOptions options;
  std::filesystem::path output;
  Handling handling;
};
Summary sweep(const SweepConfig& config, const parallel::Communicator& comm);

struct ExtractConfig {
  models::ModelConfig model;
  std::filesystem::path movie, audio, transcript;  ///< empty: not given
  std::string reading;                             ///< which output of the model; "" for models with one
  std::filesystem::path output;
  Runtime runtime;
  Handling handling;
};
Summary extract(const ExtractConfig& config, const parallel::Communicator& comm);

}  // namespace cinecortex::stages::matrices
