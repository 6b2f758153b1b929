#pragma once
#include <string>

/// The tensor library behind the models: threads, version and devices, without its headers.
namespace cinecortex::models {

/// Threads of the tensor library on this rank. Called by main before anything else of this room: the first
/// tensor operation would otherwise cut OpenMP's threads for the whole program.   Collective: no.
void set_torch_threads(int threads);

std::string torch_version();     ///< e.g. "2.11.0"
std::string cuda_description();  ///< "none", or e.g. "2 devices"

/// Turns `--device` into what ModelConfig::device takes: "cpu" or "cuda:N".
/// @param wanted        auto (CUDA where there is a device, else the CPU) | cpu | cuda | cuda:N
/// @param rank_on_node  ranks of a node are dealt round to its devices, unless N is given
/// @throws InputError   another word; CUDA asked for where there is none; N too large.   Collective: no.
std::string resolve_device(const std::string& wanted, int rank_on_node = 0);

}  // namespace cinecortex::models
