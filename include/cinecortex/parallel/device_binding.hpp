#pragma once
#include <optional>
#include <string>
#include <vector>

#include "cinecortex/parallel/communicator.hpp"

namespace cinecortex::parallel {

/// Which of the GPUs that it sees each rank of a node takes, such that they are used as equally as visibility allows: ranks that
/// see the fewest choose first, each takes the one with the fewest ranks so far.   Collective: no.
/// @param seen  [ranks of the node] identifiers (UUIDs) of the GPUs that a rank sees, in its own order; at least one each
/// @return      [ranks of the node] a position in the rank's own list
std::vector<std::size_t> deal_devices(const std::vector<std::vector<std::string>>& seen);

struct DeviceBinding {
  std::size_t device = 0;  ///< position in this rank's list
  int ranks_on_it = 1;     ///< that share this GPU
  int devices = 0;         ///< GPUs that any rank of the node sees …
  int devices_used = 0;    ///< … and of which a rank took one
};

/// Binds each rank to a GPU of its node; every rank knows the choices of the others of its node.
/// @param seen  UUIDs of the GPUs that this rank sees; empty: none
/// @return      nullopt where no rank sees any
/// @throws InputError on every rank, if some ranks see a GPU and others do not: in other types and on other
///         devices they would compute other features.   Collective: over comm.
std::optional<DeviceBinding> bind_device(const std::vector<std::string>& seen, const Communicator& comm);

}  // namespace cinecortex::parallel
