#pragma once
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "cinecortex/encoding/lagged_statistics.hpp"
#include "cinecortex/io/hdf5.hpp"
#include "model_files.hpp"

/// Lagged sums of one space and subject on disk, by group of runs: statistics/<space>/sub-0X.h5.
namespace cinecortex::stages {

/// What a file of statistics is about, beside its numbers.
struct StatisticsContent {
  std::vector<Index> delays;  ///< ascending
  Index components = 0;
  bool single = true;             ///< products were made in float32
  std::vector<std::string> runs;  ///< every block: a run, or a presentation of it
  std::vector<Index> group_of;    ///< [runs] group of each, 0 … groups - 1
  Index groups() const;
  /// Whether sums of these delays and leading components can be had from it.
  bool holds(const std::vector<Index>& wanted_delays, Index wanted_components) const;
  bool operator==(const StatisticsContent&) const = default;
};

/// The most bytes of such a file.   Collective: no.
double statistics_bytes(const StatisticsContent& content, Index targets);

/// Written some targets at a time, every rank its own.   Collective: over comm, all of it.
class StatisticsFile {
 public:
  /// @param attributes  are added to the file's own (kind, precision, components)
  StatisticsFile(const std::filesystem::path& file, StatisticsContent content, Index targets_global,
                 Attributes attributes, const parallel::Communicator& comm);
  /// @param groups   sums of each group: products of features in the first call, afterwards they need not be there
  /// @param local    this rank's targets in `groups`, counted as `targets` is
  /// @param targets  those that belong to this file (sums may be of several subjects); its target 0 is targets.begin
  void add(const std::vector<encoding::LaggedStatistics>& groups, Range local, Range targets);
  void commit();

 private:
  void create(const std::vector<encoding::LaggedStatistics>& groups);
  void write_auto_products(const std::string& group, const encoding::LaggedSums& sums);
  StatisticsContent content_;
  Index targets_;
  const parallel::Communicator& comm_;
  io::Hdf5Writer writer_;
  bool created_ = false;
};

/// Collective: no, all of it.
class StatisticsReader {
 public:
  /// @throws InputError: missing, damaged, not such a file, or of a version that this program does not read.
  explicit StatisticsReader(const std::filesystem::path& file);
  const StatisticsContent& content() const noexcept { return content_; }
  Index targets() const noexcept { return targets_; }
  VectorD shift_x() const { return reader_.read_vector("/shift_x"); }
  /// One group's sums of some targets, to the bit as they were written.
  /// @throws InputError if the file is damaged.
  encoding::LaggedSums read(Index group, Range targets, bool gram) const;

 private:
  std::vector<encoding::LaggedSums::Edges> read_edges(Index group, Range targets) const;
  io::Hdf5Reader reader_;
  StatisticsContent content_;
  Index targets_ = 0;
};

}  // namespace cinecortex::stages
