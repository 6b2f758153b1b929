#pragma once
#include <string>
#include <vector>

/// The tensor library behind the models: version and devices, without its headers.
namespace cinecortex::models {

/// Whether this program was built without libtorch, FFmpeg and all feature spaces (CINECORTEX_STATISTICS_ONLY).
bool statistics_only();

std::string torch_version();     ///< e.g. "2.11.0"
std::string cuda_description();  ///< "none", or e.g. "2 devices"

int cuda_devices();  ///< that this process sees and can use

/// UUIDs of the GPUs that this process sees, in the order of their numbers: whether two processes see the same one cannot be told by numbers.
/// Where the driver gives no UUID, "cuda:N".   Collective: no.
std::vector<std::string> gpu_identifiers();

/// Turns `--device` into what ModelConfig::device takes: "cpu" or "cuda:N".
/// @param wanted       auto (the first GPU where there is one, else the CPU) | cpu | cuda (the first GPU) | cuda:N
/// @throws InputError  another word; CUDA asked for where there is none; N too large.   Collective: no.
std::string resolve_device(const std::string& wanted);

}  // namespace cinecortex::models
