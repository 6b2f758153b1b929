#include "fft.hpp"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

namespace cinecortex::models {
namespace {

template <class Scalar>
void power_spectrum_of(const Matrix<Scalar>& signals, Matrix<Scalar>& power) {
  const c10::InferenceMode inference;
  // from_blob takes no const pointer; the transform only reads.
  const auto input = at::from_blob(const_cast<Scalar*>(signals.data()), {signals.rows(), signals.cols()},
                                   c10::CppTypeToScalarType<Scalar>::value);
  const auto parts = at::view_as_real(at::fft_rfft(input));
  const auto squared = at::sum(at::square(parts), {-1}).contiguous();
  power = Eigen::Map<const Matrix<Scalar>>(squared.template const_data_ptr<Scalar>(), squared.size(0),
                                           squared.size(1));
}

}  // namespace

void power_spectrum(const MatrixF& signals, MatrixF& power) {
  power_spectrum_of(signals, power);
}

void power_spectrum(const MatrixD& signals, MatrixD& power) {
  power_spectrum_of(signals, power);
}

}  // namespace cinecortex::models
