#pragma once
#include "cinecortex/parallel/communicator.hpp"
#include "cinecortex/stages/experiment.hpp"
#include "cinecortex/stages/summary.hpp"

/// The stages of an experiment. One verb, one stage, one folder of output. Each reads files, calls kernels and
/// writes files. Every run() is collective over comm, throws the same error on every rank, and keeps finished
/// outputs whose inputs and settings are unchanged.
namespace cinecortex::stages {

/// What the stages would do with the inputs as they are, and roughly how long, at this machine's speed.
Summary validate(const Config& config, const parallel::Communicator& comm);
Summary plan(const Config& config, const parallel::Communicator& comm);  ///< the same without the times
Summary extract(const Config& config, const parallel::Communicator& comm);
Summary pca(const Config& config, const parallel::Communicator& comm);
Summary ridge(const Config& config, const parallel::Communicator& comm);
Summary stack(const Config& config, const parallel::Communicator& comm);
Summary predict(const Config& config, const parallel::Communicator& comm);
Summary score(const Config& config, const parallel::Communicator& comm);

/// Tries the combinations of [sweep] on the base runs, all of them or the part that config.runtime names.
Summary sweep(const Config& config, const parallel::Communicator& comm);

/// How much of the explained variance is each space's own, and how much they share: joint fits of sets of spaces.
Summary variance_partition(const Config& config, const parallel::Communicator& comm);
/// @throws InputError where it would for too few spaces or runs, features to come included.   Collective: over comm.
void check_partition(const Config& config, const parallel::Communicator& comm);

/// All of them in order, then the table of results.
Summary run_all(const Config& config, const parallel::Communicator& comm);

/// The stage of that verb ("extract" … "score", "sweep", "validate", "run"); what it did is noted in manifest.json.
Summary run_stage(const std::string& verb, const Config& config, const parallel::Communicator& comm);

/// validate(), unless the experiment lacks what that verb alone asks for.
Summary dry_run(const std::string& verb, const Config& config, const parallel::Communicator& comm);

}  // namespace cinecortex::stages
