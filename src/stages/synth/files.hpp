#pragma once
#include <vector>

#include "cinecortex/parallel/communicator.hpp"
#include "responses.hpp"

/// The HDF5 files of a made-up data set. Every rank makes a block of parcels of every scan.
namespace cinecortex::stages::synthetic {

/// The subject's responses to the runs of one collection, without the withheld ones, in the challenge's
/// layout. Collective: over comm.
void write_fmri(const SynthConfig& config, const std::vector<PlannedRun>& runs, int subject,
                dataset::Collection collection, const Drive& drive, const parallel::Communicator& comm);

/// truth.h5: everything that was planted, and the withheld responses.   Collective: over comm.
void write_truth(const SynthConfig& config, const std::vector<PlannedRun>& runs, const Drive& drive,
                 const parallel::Communicator& comm);

}  // namespace cinecortex::stages::synthetic
