// In place of device_torch.cpp in a program without libtorch.
#include <fmt/format.h>

#include "cinecortex/core/error.hpp"
#include "device_kernels.hpp"

namespace cinecortex::linalg {

std::unique_ptr<DeviceKernels> make_torch_kernels(const std::string& device) {
  throw InputError(
      fmt::format("device \"{}\": this program is built without libtorch; allowed is cpu", device));
}

}  // namespace cinecortex::linalg
