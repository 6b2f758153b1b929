#pragma once
#include <memory>
#include <string>
#include <vector>

#include "cinecortex/encoding/block_source.hpp"
#include "cinecortex/io/hdf5.hpp"
#include "digests.hpp"

/// The data of an experiment as blocks of rows: a block is a run, as the statistics see it. All of them are stored
/// as float32 or less.
namespace cinecortex::stages {

/// Rows × columns of an HDF5 data set. @throws InputError naming file, row and column of a NaN or infinity.
template <class Scalar = double>  // float, double
Matrix<Scalar> read_finite(const io::Hdf5Reader& reader, const std::string& path, Range rows, Range columns);

/// Raw features [L, d] of a space, a file a run.
class FeatureSource final : public encoding::BlockSource {
 public:
  FeatureSource(const Context& context, const FeatureTable& features, std::string space,
                std::vector<const dataset::Run*> runs);
  Index blocks() const override { return static_cast<Index>(runs_.size()); }
  Index rows(Index block) const override;
  Index columns() const override;
  MatrixD read(Index block, Range columns) const override;
  bool single_precision() const override { return true; }
  MatrixF read_single(Index block, Range columns) const override;
  using BlockSource::read;
  std::string name(Index block) const override;

 private:
  template <class Scalar>
  Matrix<Scalar> read_rows(Index block, Range columns) const;
  const FeatureFile& file(Index block) const;
  const Outputs& outputs_;
  const FeatureTable& features_;
  std::string space_;
  std::vector<const dataset::Run*> runs_;
};

/// PCA scores [L, k] of one space, from its file; knows every run's length.
class ScoreReader {
 public:
  ScoreReader(const std::filesystem::path& pca_file, const FeatureTable& features, std::string space);
  const std::string& space() const noexcept { return space_; }
  Index components() const noexcept { return components_; }
  Index rows(const std::string& run) const { return features_.at(space_).at(run).rows; }
  template <class Scalar = double>  // float, double
  Matrix<Scalar> read(const std::string& run) const;

 private:
  const FeatureTable& features_;
  std::string space_;
  io::Hdf5Reader reader_;
  Index components_ = 0;
};

/// A run as one presentation of it: with repeats kept apart, a run gives several.
struct Presentation {
  const dataset::Run* run = nullptr;
  Index repeat = 0;
  Index rows = 0;  ///< T of the responses
};

/// @throws InputError naming movie features and fMRI data set, if a run's lengths differ by more than the tolerance.
std::vector<Presentation> presentations(const std::vector<const dataset::Run*>& runs, int subject,
                                        const DataConfig& data, const FeatureTable& features);

/// Labels as numbers, in the order in which they appear.
std::vector<Index> numbered(const std::vector<std::string>& labels);
/// The season or movie of each run, numbered.
std::vector<Index> seasons_of(const std::vector<Presentation>& shown);

/// The run, and with repeats kept apart which presentation: "life1 (run-2)".
std::string block_name(const Presentation& presentation, const DataConfig& data);

/// TRs kept for fitting and scoring: [trim, T - trim).
Range trimmed(Index rows, const DataConfig& data);

/// What a space's designs see of some presentations: feature rows, and trimmed TRs.
std::vector<encoding::RunExtent> extents(const std::vector<Presentation>& shown, const std::string& space,
                                         const FeatureTable& features, const DataConfig& data);

/// TRs of a presentation that every given space's design can predict.
std::vector<Index> usable_times(const Presentation& presentation,
                                const std::vector<const SpaceConfig*>& spaces, const FeatureTable& features,
                                const DataConfig& data);

/// Design rows of one space for fitting: [times, k × delays].
class DesignSource final : public encoding::BlockSource {
 public:
  DesignSource(const ScoreReader& scores, const SpaceConfig& space, const DataConfig& data,
               std::vector<Presentation> presentations, std::vector<std::vector<Index>> times);
  Index blocks() const override { return static_cast<Index>(presentations_.size()); }
  Index rows(Index block) const override {
    return static_cast<Index>(times_[static_cast<std::size_t>(block)].size());
  }
  Index columns() const override { return space_.design.columns(scores_.components()); }
  MatrixD read(Index block, Range columns) const override;
  bool single_precision() const override { return true; }
  MatrixF read_single(Index block, Range columns) const override;
  using BlockSource::read;
  std::string name(Index block) const override;

 private:
  template <class Scalar>
  Matrix<Scalar> read_rows(Index block, Range columns) const;
  const ScoreReader& scores_;
  const SpaceConfig& space_;
  const DataConfig& data_;
  std::vector<Presentation> presentations_;
  std::vector<std::vector<Index>> times_;
};

/// Responses of one subject at the same TRs: [times, targets].
class ResponseSource final : public encoding::BlockSource {
 public:
  ResponseSource(int subject, Index targets, const DataConfig& data, std::vector<Presentation> presentations,
                 std::vector<std::vector<Index>> times);
  Index blocks() const override { return static_cast<Index>(presentations_.size()); }
  Index rows(Index block) const override {
    return static_cast<Index>(times_[static_cast<std::size_t>(block)].size());
  }
  Index columns() const override { return targets_; }
  MatrixD read(Index block, Range targets) const override;
  bool single_precision() const override { return true; }
  MatrixF read_single(Index block, Range targets) const override;
  using BlockSource::read;
  std::string name(Index block) const override;

 private:
  template <class Scalar>
  Matrix<Scalar> read_rows(Index block, Range targets) const;
  int subject_;
  Index targets_;
  const DataConfig& data_;
  std::vector<Presentation> presentations_;
  std::vector<std::vector<Index>> times_;
};

}  // namespace cinecortex::stages
