#pragma once
#include <filesystem>
#include <vector>

#include "context.hpp"

namespace cinecortex::stages {

/// The challenge's files (a pickled .npy in a .zip) for test runs whose truth is withheld: friends-s7 and ood, each
/// only if the data set asks for such runs (target_sample_number). Rank 0 reads the predictions run by run.
/// Files made from the same predictions and runs are kept.
/// @return the .zip files.   Collective: over comm.
std::vector<std::filesystem::path> write_submissions(const Context& context,
                                                     const parallel::Communicator& comm);

}  // namespace cinecortex::stages
