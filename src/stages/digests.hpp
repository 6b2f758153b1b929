#pragma once
#include <map>
#include <string>

#include "context.hpp"

namespace cinecortex::stages {

/// What the later stages need to know of the extracted features, without opening a movie or a network.
struct FeatureFile {
  Index rows = 0;      ///< L; 0: this run has nothing for this space (a silent movie has no words)
  Index width = 0;     ///< d
  std::string digest;  ///< of stimulus, model, weights and settings
};
using FeatureTable = std::map<std::string, std::map<std::string, FeatureFile>>;  ///< [space][run]

/// Settings of a space that its features depend on, as a fingerprint (weights by their path: the content is part of
/// a feature file's own digest).   Collective: no.
std::string feature_settings_digest(const SpaceConfig& space, const DataConfig& data);

/// Reads the headers of all feature files of the experiment's spaces and roles on rank 0.
/// @throws InputError: a file is missing or was made with other settings (says to run `extract`).
/// Collective: over comm.
FeatureTable load_feature_table(const Config& config, const Context& context,
                                const parallel::Communicator& comm);

/// Fingerprints of each stage's output, each built on those of its inputs.   Collective: no, none of them.
class Digests {
 public:
  Digests(const Config& config, const Context& context, const FeatureTable& features)
      : config_(config), context_(context), features_(features) {}
  std::string pca(const SpaceConfig& space) const;  ///< of the file, which holds the scores of every run
  /// Of sums over the base rows, for any design and criterion.
  std::string statistics(const SpaceConfig& space, int subject) const;
  std::string ridge(const SpaceConfig& space, int subject) const;
  std::string stack(int subject) const;
  std::string predictions(int subject) const;
  std::string scores() const;
  std::string partition(int subject) const;
  std::string sweep() const;  ///< @pre the experiment has a sweep

 private:
  /// What the components depend on: runs that are only transformed may come and go without a new fit downstream.
  std::string pca_fit(const SpaceConfig& space) const;
  std::string features(const SpaceConfig& space, const std::vector<const dataset::Run*>& runs) const;
  std::string responses(const std::vector<std::string>& role, int subject) const;
  const Config& config_;
  const Context& context_;
  const FeatureTable& features_;
};

/// @throws InputError on every rank unless `file` is there with this digest; names the verb that makes it.
/// Collective: over comm.
void require_current(const std::filesystem::path& file, const std::string& digest, const std::string& verb,
                     const parallel::Communicator& comm);

/// Runs of a role that have features in this space, in the catalogue's order.   Collective: no.
std::vector<const dataset::Run*> with_features(std::vector<const dataset::Run*> runs,
                                               const FeatureTable& features, const std::string& space);

}  // namespace cinecortex::stages
