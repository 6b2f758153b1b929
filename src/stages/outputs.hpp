#pragma once
#include <filesystem>
#include <string>

#include "cinecortex/dataset/catalogue.hpp"
#include "cinecortex/parallel/communicator.hpp"

namespace cinecortex::stages {

/// Where everything an experiment makes is put.
class Outputs {
 public:
  using path = std::filesystem::path;
  explicit Outputs(path root) : Outputs(root, root / "features") {}
  Outputs(path root, path features) : root_(std::move(root)), features_(std::move(features)) {}

  const path& root() const noexcept { return root_; }
  path manifest() const { return root_ / "manifest.json"; }
  path features_folder(const std::string& space) const { return features_ / space; }
  path features(const std::string& space, const std::string& run) const {
    return features_folder(space) / (run + ".h5");
  }
  /// One finished chunk of rows, kept until the run is whole. The digest keeps chunks of other settings apart.
  path chunk(const std::string& space, const std::string& run, const std::string& digest, Index begin) const;
  path pca(const std::string& space) const { return root_ / "pca" / (space + ".h5"); }
  path ridge(const std::string& space, int subject) const {
    return root_ / "ridge" / space / subject_file(subject);
  }
  /// Sums of products in float32, or in float64 where those do not resolve a design.
  path statistics(const std::string& space, int subject, bool single) const {
    const auto name = dataset::layout::subject_name(subject) + (single ? ".h5" : "-float64.h5");
    return root_ / "statistics" / space / name;
  }
  path stack(int subject) const { return root_ / "stack" / subject_file(subject); }
  path predictions(int subject) const { return root_ / "predictions" / subject_file(subject); }
  path partition(int subject) const { return root_ / "partition" / subject_file(subject); }
  path partition_table() const { return root_ / "partition" / "partition.csv"; }
  path scores() const { return root_ / "scores" / "scores.h5"; }
  path scores_table() const { return root_ / "scores" / "scores.csv"; }
  path scores_plot() const { return root_ / "scores" / "scores.svg"; }
  path sweep() const { return root_ / "sweep" / "sweep.h5"; }
  path sweep_table() const { return root_ / "sweep" / "sweep.csv"; }
  path sweep_plot() const { return root_ / "sweep" / "sweep.svg"; }
  path sweep_best() const { return root_ / "sweep" / "best.toml"; }
  path sweep_part(Index part, Index parts) const;
  /// A finished share of a part, a space and a subject, kept until the part is whole.
  path sweep_share(Index part, Index parts, Index share) const;
  path submission(const std::string& part) const { return root_ / "submission" / (part + ".npy"); }

 private:
  static path subject_file(int subject) { return dataset::layout::subject_name(subject) + ".h5"; }
  path root_, features_;
};

/// The attribute every output carries: a fingerprint of the inputs and settings it was made from.
inline constexpr const char* digest_attribute = "experiment_digest";

/// The digest in a finished output; "" if there is no such file. @throws InputError if it is damaged.
std::string stored_digest(const std::filesystem::path& file);

/// Whether an output is there and was made from these inputs and settings. Looked up by rank 0.
/// Collective: over comm.
bool is_current(const std::filesystem::path& file, const std::string& digest,
                const parallel::Communicator& comm);

}  // namespace cinecortex::stages
