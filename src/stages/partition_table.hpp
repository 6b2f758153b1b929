#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "cinecortex/encoding/variance_partition.hpp"
#include "model_files.hpp"

namespace cinecortex::stages {

/// One subject's file: R², r and alpha of every set of spaces, and the unique and shared parts.
/// Collective: over comm.
void write_partition(const std::filesystem::path& file, const encoding::VariancePartition& partition,
                     const std::vector<std::string>& spaces, Index targets_global, Attributes attributes,
                     const parallel::Communicator& comm);

/// Means over targets of everything in such files, a line a subject and part.   Collective: no, nor the next.
std::string partition_csv(const std::vector<std::filesystem::path>& files);
/// The same for people: rows are parts, columns are subjects.
std::string partition_text(const std::vector<std::filesystem::path>& files);

}  // namespace cinecortex::stages
