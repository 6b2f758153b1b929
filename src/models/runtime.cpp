#include "cinecortex/models/runtime.hpp"

#include <ATen/Context.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <dlfcn.h>
#include <fmt/format.h>
#include <torch/version.h>

#include <charconv>

#include "cinecortex/core/error.hpp"

namespace cinecortex::models {
namespace {

/// Switches the CUDA backend on where its library and all that it needs are there. The program is not linked
/// with it, so that one binary runs with and without. It registers itself only before the first tensor
/// operation.
void load_cuda_backend() {
  static const void* const library = dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL);
  static_cast<void>(library);
}

int device_number(const std::string& wanted, int devices) {
  constexpr std::string_view prefix = "cuda:";
  int number = -1;
  const char* const end = wanted.data() + wanted.size();
  const auto parsed = std::from_chars(wanted.data() + prefix.size(), end, number);
  if (parsed.ec != std::errc{} || parsed.ptr != end || number < 0) {
    throw InputError(fmt::format("device \"{}\": a number of 0 or more has to follow cuda:", wanted));
  }
  if (number >= devices) {
    throw InputError(fmt::format("device \"{}\": this machine has cuda:0 to cuda:{}", wanted, devices - 1));
  }
  return number;
}

}  // namespace

bool statistics_only() {
  return false;
}

std::string torch_version() {
  return TORCH_VERSION;
}

int cuda_devices() {
  load_cuda_backend();
  return at::hasCUDA() ? static_cast<int>(at::detail::getCUDAHooks().deviceCount()) : 0;
}

std::string cuda_description() {
  const int devices = cuda_devices();
  return devices == 0 ? "none" : fmt::format("{} device{}", devices, devices == 1 ? "" : "s");
}

std::string resolve_device(const std::string& wanted) {
  if (wanted == "cpu") return wanted;
  const bool numbered = wanted.starts_with("cuda:");
  if (wanted != "auto" && wanted != "cuda" && !numbered) {
    throw InputError(fmt::format("device \"{}\": allowed: auto, cpu, cuda, cuda:N", wanted));
  }
  const int devices = cuda_devices();
  if (devices == 0) {
    if (wanted == "auto") return "cpu";
    throw InputError(
        fmt::format("device \"{}\": there is no CUDA device, or libtorch_cuda.so cannot be loaded; "
                    "allowed: auto, cpu",
                    wanted));
  }
  return fmt::format("cuda:{}", numbered ? device_number(wanted, devices) : 0);
}

}  // namespace cinecortex::models
