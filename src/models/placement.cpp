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

std::string type_name(c10::ScalarType type) {
  if (type == c10::ScalarType::Float) return "float32";
  return type == c10::ScalarType::BFloat16 ? "bfloat16" : "float16";
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

void check_memory(const std::string& what, const Placement& placement, const std::vector<Index>& bytes,
                  const std::vector<Index>& free_bytes) {
  for (std::size_t i = 0; i < placement.devices.size(); ++i) {
    if (bytes[i] <= free_bytes[i]) continue;
    const auto amount = [](Index size) {
      return fmt::format("{} bytes ({})", size, format_bytes(static_cast<double>(size)));
    };
    throw InputError(fmt::format("{}: {} of weights as {} do not fit {}, which has {} free; {}", what,
                                 amount(bytes[i]), type_name(placement.type), placement.devices[i].str(),
                                 amount(free_bytes[i]), memory_advice));
  }
}

void check_memory(const std::string& what, const Placement& placement, const std::vector<Index>& bytes) {
  std::vector<Index> free_bytes;
  for (const auto& device : placement.devices) free_bytes.push_back(free_device_bytes(device.str()));
  check_memory(what, placement, bytes, free_bytes);
}

}  // namespace cinecortex::models
