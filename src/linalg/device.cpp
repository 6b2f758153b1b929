#include "cinecortex/linalg/device.hpp"

#include "cinecortex/core/error.hpp"
#include "device_kernels.hpp"

namespace cinecortex::linalg {
namespace {

struct Choice {
  std::string name = "cpu";
  std::unique_ptr<DeviceKernels> kernels;
};

Choice& choice() {
  static Choice of_this_process;
  return of_this_process;
}

}  // namespace

void set_device(const std::string& device) {
  if (device == "cpu") {
    choice() = {};
  } else {
    choice() = {device, make_torch_kernels(device)};
  }
}

const std::string& device() {
  return choice().name;
}

const DeviceKernels* device_kernels() {
  return choice().kernels.get();
}

const DeviceKernels* device_for(double flops) {
  const DeviceKernels* kernels = device_kernels();
  return kernels != nullptr && kernels->takes(flops) ? kernels : nullptr;
}

}  // namespace cinecortex::linalg
