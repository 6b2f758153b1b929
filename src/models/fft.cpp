#include "fft.hpp"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

namespace cinecortex::models {

void power_spectrum(const MatrixF& signals, MatrixF& power) {
  const c10::InferenceMode inference;
  // from_blob takes no const pointer; the transform only reads.
  const auto input =
      at::from_blob(const_cast<float*>(signals.data()), {signals.rows(), signals.cols()}, at::kFloat);
  const auto parts = at::view_as_real(at::fft_rfft(input));
  const auto squared = at::sum(at::square(parts), {-1}).contiguous();
  power = Eigen::Map<const MatrixF>(squared.const_data_ptr<float>(), squared.size(0), squared.size(1));
}

}  // namespace cinecortex::models
