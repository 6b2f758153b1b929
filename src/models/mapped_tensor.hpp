#pragma once
#include <ATen/core/Tensor.h>

#include "cinecortex/io/safetensors.hpp"

namespace cinecortex::models {

/// The tensor over the mapped bytes, on the CPU and in the stored type, without a copy; it keeps the mapping alive.
/// Writing into it is a fault: the mapping is read-only. (Where a file holds it unaligned, it is a copy.)
at::Tensor mapped_tensor(const io::StoredTensor& stored);

}  // namespace cinecortex::models
