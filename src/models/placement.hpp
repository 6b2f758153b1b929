#pragma once
#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

#include <string>
#include <vector>

#include "cinecortex/core/types.hpp"
#include "cinecortex/models/extractor.hpp"

/// Where a network computes, and in what type: the options `type` and `gpus` of the models.
namespace cinecortex::models {

struct Placement {
  std::vector<c10::Device> devices{c10::Device(c10::kCPU)};  ///< layers are split over them, in order
  c10::ScalarType type = c10::ScalarType::Float;
};

/// @param type  float32 | bfloat16 | float16 | auto: bfloat16 on a GPU, float32 on the CPU
/// @param gpus  that the layers are split over, beginning with the device's own; 1 on the CPU
/// @throws InputError: float16 or several GPUs on the CPU; GPUs that are not there.   Collective: no.
Placement make_placement(const std::string& device, const std::string& type, Index gpus = 1);

/// Checks that weights fit before they are loaded.
/// @param bytes  of the weights on each device
/// @throws InputError with the bytes needed and free, and what can be done.   Collective: no.
void check_memory(const std::string& what, const Placement& placement, const std::vector<Index>& bytes);

/// The same with what is free on each device.
void check_memory(const std::string& what, const Placement& placement, const std::vector<Index>& bytes,
                  const std::vector<Index>& free_bytes);

}  // namespace cinecortex::models
