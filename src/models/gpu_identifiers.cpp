#include <dlfcn.h>
#include <fmt/format.h>

#include <array>

#include "cinecortex/models/runtime.hpp"

namespace cinecortex::models {
namespace {

/// What is needed of CUDA's driver. The program is linked with nothing of CUDA, so that one binary runs with and without.
struct Driver {
  using Uuid = std::array<unsigned char, 16>;
  int (*init)(unsigned flags) = nullptr;
  int (*get)(int* device, int number) = nullptr;
  int (*uuid)(Uuid* uuid, int device) = nullptr;

  Driver() {
    void* const library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) return;
    const auto find = [&](auto& function, const char* name) {
      function = reinterpret_cast<std::decay_t<decltype(function)>>(dlsym(library, name));
    };
    find(init, "cuInit");
    find(get, "cuDeviceGet");
    find(uuid, "cuDeviceGetUuid_v2");  // of the part of a divided GPU
    if (uuid == nullptr) find(uuid, "cuDeviceGetUuid");
  }

  /// "" where the driver does not say.
  std::string identifier(int number) const {
    int device = 0;
    Uuid bytes{};
    if (init == nullptr || get == nullptr || uuid == nullptr || init(0) != 0 || get(&device, number) != 0 ||
        uuid(&bytes, device) != 0) {
      return "";
    }
    std::string text = "GPU-";
    for (const unsigned char byte : bytes) text += fmt::format("{:02x}", byte);
    return text;
  }
};

}  // namespace

std::vector<std::string> gpu_identifiers() {
  const Driver driver;
  std::vector<std::string> found;
  for (int number = 0; number < cuda_devices(); ++number) {
    const auto identifier = driver.identifier(number);
    found.push_back(identifier.empty() ? fmt::format("cuda:{}", number) : identifier);
  }
  return found;
}

}  // namespace cinecortex::models
