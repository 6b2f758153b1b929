#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "cinecortex/parallel/communicator.hpp"

namespace cinecortex::app {

/// Before MPI starts: where more ranks than cores share this node, waiting ranks must give their core away.
/// Sets an environment variable of Open MPI unless the user did.   Collective: no.
void prepare_environment();

/// Threads for this rank such that no core of the node is given out twice: a core that several ranks may use
/// is shared among them equally. Bound ranks get the cores they are bound to, unbound ones an equal part of
/// the node. Collective: over comm.
int fair_threads(const parallel::Communicator& comm);

/// What each rank may hold: `wanted` bytes of a node, or 80% of what its ranks have and could still get, divided by
/// the ranks on it.   Collective: over comm.
double fair_memory_bytes(std::optional<std::int64_t> wanted, const parallel::Communicator& comm);

/// Turns `--device` into the device of this rank: "cpu", or "cuda:N" with the GPUs of a node shared equally among its ranks.
/// Says on rank 0 how GPUs are shared.
/// @throws InputError on every rank: a device that is not there; GPUs for some ranks alone.   Collective: over comm.
std::string fair_device(const std::string& wanted, const parallel::Communicator& comm);

/// OpenMP and BLAS, each of which counts by itself; torch follows OpenMP where it is used.   Collective: no.
void set_threads(int threads);

}  // namespace cinecortex::app
