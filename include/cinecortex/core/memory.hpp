#pragma once
#include <cstdint>
#include <string>

namespace cinecortex {

/// Memory of this process in bytes, as the kernel counts it.   Collective: no, all of them.
std::int64_t resident_bytes();       ///< now
std::int64_t peak_resident_bytes();  ///< most so far
/// What the node could still give: free memory, or less where a control group (Slurm, a container) allows less.
std::int64_t available_bytes();

/// "2GiB", "512 MiB", "3e9", "16G" (powers of 1024 for K, M, G, T with or without iB; of 1000 for KB, MB, GB, TB).
/// @throws InputError saying what is allowed.
std::int64_t parse_bytes(const std::string& text);

}  // namespace cinecortex
