#pragma once
#include <cstdint>
#include <string>

namespace cinecortex {

/// Memory of this process in bytes, as the kernel counts it.   Collective: no, all of them.
std::int64_t resident_bytes();       ///< now
std::int64_t peak_resident_bytes();  ///< most so far
/// What the node could still give: free memory, or less where a control group (Slurm, a container) allows less.
std::int64_t available_bytes();

/// From now on what is freed stays with this process, however large it was, and is used again: pages that the kernel makes
/// anew cost as much as filling them. With glibc; elsewhere nothing changes.
void keep_freed_memory();
/// The kernel gets back what is free now, so that resident_bytes() counts what is in use.
void give_back_freed_memory();

/// "2GiB", "512 MiB", "3e9", "16G" (powers of 1024 for K, M, G, T with or without iB; of 1000 for KB, MB, GB, TB).
/// @throws InputError saying what is allowed.
std::int64_t parse_bytes(const std::string& text);

}  // namespace cinecortex
