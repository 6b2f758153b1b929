#include "placement.hpp"

#include <fmt/format.h>

#include "batching.hpp"
#include "cinecortex/core/error.hpp"
#include "cinecortex/core/progress.hpp"
#include "cinecortex/models/runtime.hpp"
#include "options.hpp"

namespace cinecortex::models {
namespace {

c10::ScalarType scalar_type(const std::string& type, bool cpu) {
  if (type == "auto") return cpu ? c10::ScalarType::Float : c10::ScalarType::BFloat16;
  if (type == "float32") return c10::ScalarType::Float;
  if (type == "bfloat16") return c10::ScalarType::BFloat16;
  if (type == "float16" && !cpu) return c10::ScalarType::Half;
  throw InputError(fmt::format("type = \"{}\": allowed {}: auto, float32, bfloat16{}", type,
                               cpu ? "on the CPU" : "on a GPU", cpu ? "" : ", float16"));
}

}  // namespace

Placement make_placement(const std::string& device, const std::string& type, Index gpus) {
  const c10::Device first(resolve_device(device));
  if (first.is_cpu() && gpus > 1) {
    throw InputError(fmt::format("gpus = {}: allowed on the CPU: 1", gpus));
  }
  Placement placement{.devices = {first}, .type = scalar_type(type, first.is_cpu())};
  for (Index i = 1; i < gpus; ++i)
    placement.devices.emplace_back(resolve_device(fmt::format("cuda:{}", first.index() + i)));
  return placement;
}

OptionInfo type_option() {
  return choice_option(
      "type", "auto", {"auto", "float32", "bfloat16", "float16"},
      "numbers to compute with: auto is bfloat16 on a GPU, float32 on the CPU; float16 on a GPU only");
}

OptionInfo gpus_option() {
  return integer_option("gpus", 1, 1, 64,
                        "GPUs over which the layers are split, beginning with the rank's own");
}

void check_memory(const std::string& what, const Placement& placement, const std::vector<Index>& bytes) {
  for (std::size_t i = 0; i < placement.devices.size(); ++i) {
    const auto device = placement.devices[i].str();
    const auto free = free_device_bytes(device);
    if (bytes[i] <= free) continue;
    throw InputError(
        fmt::format("{}: {} bytes ({}) of weights do not fit {}, which has {} bytes ({}) free; allowed: a "
                    "smaller type{}, fewer "
                    "ranks a node{}",
                    what, bytes[i], format_bytes(static_cast<double>(bytes[i])), device, free,
                    format_bytes(static_cast<double>(free)),
                    placement.type == c10::ScalarType::Float ? " (bfloat16 takes half)" : "",
                    placement.devices[i].is_cpu() ? "" : " or GPU, gpus = N (layers split over N GPUs)"));
  }
}

}  // namespace cinecortex::models
