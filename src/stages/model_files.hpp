#pragma once
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cinecortex/encoding/design.hpp"
#include "cinecortex/encoding/pca.hpp"
#include "cinecortex/encoding/ridge.hpp"
#include "cinecortex/encoding/stacking.hpp"
#include "cinecortex/io/hdf5.hpp"

/// Fitted models on disk: the same data sets for an experiment and for the user's own matrices.
namespace cinecortex::stages {

using Attributes = std::map<std::string, io::Attribute>;

/// Raised when a reader of older files would misunderstand new ones.
inline constexpr std::int64_t model_format_version = 1;

/// Numbers with a description and labels, or scales, on their dimensions.
io::DatasetOptions described(const std::string& description, std::vector<std::string> dimensions,
                             io::Stored type = io::Stored::float64);

/// Writes mean, scale, components and variances of a PCA into an open file.   Collective: over the writer's ranks.
void put_pca(io::Hdf5Writer& writer, const encoding::Pca& pca);
Attributes pca_attributes(const encoding::Pca& pca);

/// A ridge model that is written some targets at a time, every rank its own.   Collective: over comm, all of it.
class RidgeFile {
 public:
  /// @param attributes  are added to the model's own (kind, criterion, design)
  RidgeFile(std::filesystem::path file, Index targets_global, const encoding::RidgeOptions& options,
            const encoding::Design& design, Attributes attributes, const parallel::Communicator& comm);
  /// @param targets  of the fit that belong to this model (a fit may serve several subjects), counted as in `fit`;
  ///                 the model's target 0 is `targets.begin`
  void add(const encoding::RidgeFit& fit, Range targets);
  /// How often each alpha was chosen, and how often the grid's smallest and largest. After the last add.
  const std::vector<std::int64_t>& chosen() const noexcept { return chosen_; }
  encoding::EdgeHits edges() const { return encoding::edge_hits(options_.alphas, chosen_); }
  void commit();

 private:
  void create(const encoding::RidgeFit& fit);
  std::filesystem::path file_;
  Index targets_;
  encoding::RidgeOptions options_;
  Attributes attributes_;
  const parallel::Communicator& comm_;
  std::unique_ptr<io::Hdf5Writer> writer_;
  std::vector<std::int64_t> chosen_;
  double error_bound_ = 0;
};

/// What `memory_bytes` of a rank leave for a fit, beside what the program holds by now; 3% stay free, for no allocator gives
/// everything back.   Collective: no.
/// @param memory_bytes  0: no limit, infinite
double memory_for_fit(double memory_bytes);

/// As many targets at a time as keep a rank within `memory_bytes` in all (0: no limit).   Collective: over comm.
encoding::RidgeBudget fitting_budget(const encoding::RidgeShape& shape, double memory_bytes,
                                     const parallel::Communicator& comm);

/// A line where these are not all targets at once. For rank 0.   Collective: no.
void log_targets_at_once(const encoding::RidgeBudget& budget, const encoding::RidgeShape& shape,
                         double memory_bytes);

/// Writes stacking weights, every rank its targets.
/// @param models   K names     @param without  names of the subsets that weights_without belong to
/// @param blocks   names of the blocks that loro_weights belong to
/// Collective: over comm.
void write_stack(const std::filesystem::path& file, const encoding::StackFit& fit, Index targets_global,
                 const std::vector<std::string>& models, const std::vector<std::string>& without,
                 const std::vector<std::string>& blocks, Attributes attributes,
                 const parallel::Communicator& comm);

/// One fitted ridge model, for some of its targets.
struct RidgeModel {
  MatrixD weights;                                       ///< [p, targets]
  VectorD intercept;                                     ///< [targets]
  MatrixD predict(const ConstViewD& design_rows) const;  ///< [rows, targets]
};
RidgeModel read_ridge(const io::Hdf5Reader& reader, Range targets);

/// @throws InputError: not a model file of this kind or of a version this program reads.   Collective: no.
void check_model_file(const io::Hdf5Reader& reader, const std::string& kind);

}  // namespace cinecortex::stages
