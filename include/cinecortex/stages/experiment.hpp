#pragma once
#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cinecortex/dataset/responses.hpp"
#include "cinecortex/encoding/design.hpp"
#include "cinecortex/encoding/pca.hpp"
#include "cinecortex/encoding/ridge.hpp"
#include "cinecortex/encoding/significance.hpp"
#include "cinecortex/models/extractor.hpp"

/// An experiment as data: what the TOML file says, checked, with every default in place.
namespace cinecortex::stages {

struct DataConfig {
  std::filesystem::path root;
  std::vector<int> subjects{1, 2, 3, 5};
  double tr_s = 1.49;
  std::array<Index, 2> trim_tr{5, 5};  ///< rows dropped at the start and end of a run, for fits and scores
  dataset::Repeats repeats = dataset::Repeats::average;
  Index tolerance_tr = 10;  ///< most TRs by which features and fMRI of a run may differ in length
};

struct SplitConfig {
  std::string base, stack, test;  ///< selectors
  bool allow_leak = false;        ///< a run may be in two roles
};

struct PcaConfig {
  encoding::PcaOptions options;
  bool fit_all = false;  ///< false: base-fit runs; true: every run with features (transductive)
};

struct SpaceConfig {
  std::string name;
  models::ModelConfig model;
  std::string reading;  ///< which output of the model; "" for models with one
  PcaConfig pca;
  encoding::Design design = encoding::Design::shifted_window(3, 3, encoding::Edge::shift);
};

struct StackConfig {
  std::string method = "simplex";
};

/// How the base runs of a sweep are dealt to folds.
struct SweepFolds {
  enum class By {
    automatic,   ///< by season where there are two or more, otherwise contiguous
    season,      ///< each season of Friends and each other movie is a fold
    contiguous,  ///< `count` folds of neighbouring runs, as kfold:K
  } by = By::automatic;
  Index count = 5;
};

/// What a sweep tries for every space, in all combinations. An empty list: the space's own value.
struct SweepConfig {
  std::vector<Index> components, delay, window;
  std::vector<std::vector<Index>> delays;  ///< sets of delays, instead of delay and window
  SweepFolds folds;
  std::vector<std::string> spaces;  ///< names; empty: all
  bool takes(const std::string& space) const {
    return spaces.empty() || std::find(spaces.begin(), spaces.end(), space) != spaces.end();
  }
};

/// What a sweep found best for a space.
struct SpaceChoice {
  std::string space;
  Index components = 0;
  encoding::Design design;
  bool windowed = false;  ///< to be written as delay and window, not as delays
};

/// Which share of a sweep to do. Part 0 of 0 is all of it, part 0 of N puts together what N parts have made.
struct SweepPart {
  Index part = 0, parts = 0;
};

/// Whether the sums that ridge and sweep make of the rows are kept in files. Results differ by rounding at most.
enum class StatisticsPolicy {
  automatic,  ///< where a file takes no more than 256 MiB
  keep,       ///< always
  none,       ///< neither written nor read
};

struct Experiment {
  std::string name;
  std::uint64_t seed = 1004;
  DataConfig data;
  SplitConfig split;
  std::vector<SpaceConfig> spaces;
  encoding::RidgeOptions ridge;
  StackConfig stack;
  encoding::SignificanceOptions significance;  ///< [score]
  std::optional<SweepConfig> sweep;
  std::filesystem::path output;
  std::filesystem::path features;  ///< output / "features", or a folder that experiments share
  StatisticsPolicy statistics = StatisticsPolicy::automatic;
  std::string resolved;  ///< the experiment as TOML with overrides and defaults, for the manifest
  /// The same TOML with these choices in place of the spaces' own, and without [sweep].
  std::function<std::string(const std::vector<SpaceChoice>&)> with_choices;
};

/// How to run, as opposed to what: nothing here changes a result.
struct Runtime {
  int threads = 1;
  std::string device = "cpu";  ///< cpu | cuda | cuda:N, already resolved
  bool force = false;          ///< redo what is there
  bool progress = true;        ///< bars on stderr (rank 0)
  Index chunk_tr = 64;         ///< TRs of one extraction task
  bool decode_ahead =
      false;                ///< read a chunk's movie on a thread of its own while the one before is computed
  double memory_bytes = 0;  ///< most that this rank may hold, everything included
  SweepPart sweep_part;
  std::string program = "{}";  ///< what runs, as a JSON object (version, commit, libraries), for the manifest
};

/// What every stage on an experiment gets.
struct Config {
  Experiment experiment;
  Runtime runtime;
};

}  // namespace cinecortex::stages
