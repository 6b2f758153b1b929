#include "cinecortex/linalg/blas_kernel.hpp"

#include <cblas.h>
#include <unistd.h>

#include <cstdlib>
#include <string_view>

namespace cinecortex::linalg {
namespace {

/// What OPENBLAS_CORETYPE can be on this processor; nullptr where the oldest kernels are all there is.
const char* best_kernel() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl")) {
    return "SkylakeX";
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return "Haswell";
#endif
  return nullptr;
}

}  // namespace

void use_fitting_blas_kernel(char** argv) {
  constexpr const char* choice = "OPENBLAS_CORETYPE";
  if (std::getenv(choice) != nullptr || std::string_view(openblas_get_corename()) != "Prescott") return;
  const char* kernel = best_kernel();
  if (kernel == nullptr) return;
  setenv(choice, kernel, 1);
  execv("/proc/self/exe", argv);
  // Where that is not allowed the program goes on as it is: slower, and `--version` shows the kernel.
  unsetenv(choice);
}

}  // namespace cinecortex::linalg
