#include "cinecortex/linalg/cholesky.hpp"

#include <cblas.h>
#include <fmt/format.h>

#include <algorithm>

#include "cinecortex/core/error.hpp"
#include "fortran.hpp"

namespace cinecortex::linalg {
namespace {

/// The distance of two rows, at least what LAPACK wants of an empty matrix.
template <class Matrix>
int leading(const Matrix& matrix) {
  return checked_cast<int>(std::max<Index>({matrix.outerStride(), matrix.cols(), 1}));
}

template <class Lower, class Potrf>
bool factorise(Lower& lower, Potrf potrf) {
  if (lower.rows() != lower.cols()) {
    throw Error(fmt::format("internal: cholesky of a [{}, {}] matrix", lower.rows(), lower.cols()));
  }
  const int n = checked_cast<int>(lower.rows()), lda = leading(lower);
  int info = 0;
  potrf("U", &n, lower.data(), &lda,
        &info);  // LAPACK's columns are our rows, so its upper triangle is our lower one
  return info == 0;
}

template <class Lower, class B>
void check_solve(const Lower& lower, const B& b) {
  if (lower.rows() == lower.cols() && lower.rows() == b.rows()) return;
  throw Error(fmt::format("internal: cholesky_solve of [{}, {}] and [{}, {}]", lower.rows(), lower.cols(),
                          b.rows(), b.cols()));
}

}  // namespace

bool cholesky(ViewD lower) {
  return factorise(lower, dpotrf_);
}

bool cholesky(ViewF lower) {
  return factorise(lower, spotrf_);
}

void cholesky_solve(const ConstViewD& lower, ViewD b) {
  check_solve(lower, b);
  if (b.size() == 0) return;
  for (const auto transpose : {CblasNoTrans, CblasTrans}) {
    cblas_dtrsm(CblasRowMajor, CblasLeft, CblasLower, transpose, CblasNonUnit, checked_cast<int>(b.rows()),
                checked_cast<int>(b.cols()), 1.0, lower.data(), leading(lower), b.data(), leading(b));
  }
}

void cholesky_solve(const ConstViewF& lower, ViewF b) {
  check_solve(lower, b);
  if (b.size() == 0) return;
  for (const auto transpose : {CblasNoTrans, CblasTrans}) {
    cblas_strsm(CblasRowMajor, CblasLeft, CblasLower, transpose, CblasNonUnit, checked_cast<int>(b.rows()),
                checked_cast<int>(b.cols()), 1.0F, lower.data(), leading(lower), b.data(), leading(b));
  }
}

}  // namespace cinecortex::linalg
