#include "cinecortex/linalg/dense.hpp"

#include <cblas.h>
#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <sstream>
#include <string_view>
#include <utility>
#include <vector>

#include "cinecortex/core/error.hpp"
#include "cinecortex/parallel/threads.hpp"
#include "device_kernels.hpp"
#include "fortran.hpp"

namespace cinecortex::linalg {
namespace {

int blas_size(Index value) {
  return checked_cast<int>(value);
}

/// The distance of two rows, which BLAS wants to be at least the row's length even where there is one row.
template <class Matrix>
int leading(const Matrix& matrix) {
  const Index stride = matrix.rows() > 1 ? matrix.outerStride() : matrix.cols();
  return blas_size(std::max<Index>(stride, 1));
}

CBLAS_TRANSPOSE op(bool transpose) {
  return transpose ? CblasTrans : CblasNoTrans;
}

struct ProductSizes {
  int m, n, k;
};

template <class A, class B, class C>
ProductSizes check_product(bool transpose_a, bool transpose_b, const A& a, const B& b, const C& c) {
  const Index m = transpose_a ? a.cols() : a.rows();
  const Index k = transpose_a ? a.rows() : a.cols();
  const Index k_of_b = transpose_b ? b.cols() : b.rows();
  const Index n = transpose_b ? b.rows() : b.cols();
  if (k != k_of_b || c.rows() != m || c.cols() != n) {
    throw Error(fmt::format("internal: gemm of op(a) [{}, {}] and op(b) [{}, {}] into [{}, {}]", m, k, k_of_b,
                            n, c.rows(), c.cols()));
  }
  return {blas_size(m), blas_size(n), blas_size(k)};
}

template <class A, class C>
void check_gram(const A& a, const C& c) {
  if (c.rows() == a.cols() && c.cols() == a.cols()) return;
  throw Error(fmt::format("internal: Gram matrix of {} columns into [{}, {}]", a.cols(), c.rows(), c.cols()));
}

/// The file that a symbol of this process comes from, or "" where it cannot be told (a static program).
std::string library_of(const char* symbol, const void* address) {
  if (const void* found = dlsym(RTLD_DEFAULT, symbol)) address = found;
  Dl_info info{};
  return dladdr(address, &info) != 0 && info.dli_fname != nullptr ? info.dli_fname : "";
}

std::string dgemm_library() {
  return library_of("dgemm_", reinterpret_cast<const void*>(&dgemm_));
}
std::string dsyevd_library() {
  return library_of("dsyevd_", reinterpret_cast<const void*>(&dsyevd_));
}
std::string openblas_library() {
  return library_of("openblas_get_config", reinterpret_cast<const void*>(&openblas_get_config));
}

bool served_by_openblas(const std::string& library) {
  return library == openblas_library() || library.find("openblas") != std::string::npos;
}

void multiply(bool transpose_a, bool transpose_b, ProductSizes sizes, double alpha, const ConstViewD& a,
              const ConstViewD& b, double beta, ViewD c) {
  cblas_dgemm(CblasRowMajor, op(transpose_a), op(transpose_b), sizes.m, sizes.n, sizes.k, alpha, a.data(),
              leading(a), b.data(), leading(b), beta, c.data(), leading(c));
}

void multiply(bool transpose_a, bool transpose_b, ProductSizes sizes, float alpha, const ConstViewF& a,
              const ConstViewF& b, float beta, ViewF c) {
  cblas_sgemm(CblasRowMajor, op(transpose_a), op(transpose_b), sizes.m, sizes.n, sizes.k, alpha, a.data(),
              leading(a), b.data(), leading(b), beta, c.data(), leading(c));
}

void syrk(const ConstViewD& a, double beta, ViewD c) {
  cblas_dsyrk(CblasRowMajor, CblasLower, CblasTrans, blas_size(a.cols()), blas_size(a.rows()), 1.0, a.data(),
              leading(a), beta, c.data(), leading(c));
}

void syrk(const ConstViewF& a, float beta, ViewF c) {
  cblas_ssyrk(CblasRowMajor, CblasLower, CblasTrans, blas_size(a.cols()), blas_size(a.rows()), 1.0F, a.data(),
              leading(a), beta, c.data(), leading(c));
}

/// c = beta c + aᵀ a, lower triangle, in panels of rows that hold as many numbers of it, one for each thread. In
/// OpenBLAS' own syrk threads wait for each other: 480 rows × 1000 columns reach 0.73 of gemm's rate on two threads, and
/// 0.92 in this way (panels of columns, of the upper triangle, 0.8 in float64: their rows are short). Panels below 128
/// rows would be packed for too few operations.
template <class Scalar>
void syrk_in_panels(const ConstView<Scalar>& a, Scalar beta, View<Scalar> c) {
  const Index p = a.cols(), panels = parallel::openmp_threads();
  if (panels == 1 || p / (2 * panels) < 128) return syrk(a, beta, c);
  const auto begin = [&](Index panel) {
    const double share = static_cast<double>(panel) / static_cast<double>(panels);
    return panel == panels ? p : static_cast<Index>(static_cast<double>(p) * std::sqrt(share)) / 16 * 16;
  };
  parallel::for_each_in_threads(panels, [&](Index panel) {
    const Index first = begin(panel), rows = begin(panel + 1) - first;
    const auto of_panel = a.middleCols(first, rows);
    if (first > 0) {
      const ProductSizes sizes{blas_size(rows), blas_size(first), blas_size(a.rows())};
      multiply(true, false, sizes, Scalar{1}, of_panel, a.leftCols(first), beta,
               c.block(first, 0, rows, first));
    }
    syrk(of_panel, beta, c.block(first, first, rows, rows));
  });
}

template <class Scalar>
void multiply_lower(bool transpose_a, bool transpose_b, Scalar alpha, const ConstView<Scalar>& a,
                    const ConstView<Scalar>& b, Scalar beta, View<Scalar> c) {
  const ProductSizes sizes = check_product(transpose_a, transpose_b, a, b, c);
  const Index size = sizes.m, k = sizes.k;
  const Index most = std::max<Index>(128, (size + 7) / 8);
  for (Index begin = 0; begin < size; begin += most) {
    const Index rows = std::min(most, size - begin), columns = begin + rows;
    gemm(transpose_a, transpose_b, alpha,
         transpose_a ? a.block(0, begin, k, rows) : a.block(begin, 0, rows, k),
         transpose_b ? b.block(0, 0, columns, k) : b.block(0, 0, k, columns), beta,
         c.block(begin, 0, rows, columns));
  }
}

}  // namespace

void set_blas_threads(int threads) {
  openblas_set_num_threads(std::max(threads, 1));
}

std::string blas_description() {
  std::istringstream config(openblas_get_config());
  std::string name, version;
  config >> name >> version;
  const int threads = openblas_get_num_threads();
  return fmt::format("{} {}, kernel {}, {} thread{}, dgemm from {}", name, version, openblas_get_corename(),
                     threads, threads == 1 ? "" : "s", dgemm_library());
}

bool blas_is_openblas() {
  return served_by_openblas(dgemm_library()) && served_by_openblas(dsyevd_library());
}

void gemm(bool transpose_a, bool transpose_b, double alpha, const ConstViewD& a, const ConstViewD& b,
          double beta, ViewD c) {
  const auto [m, n, k] = check_product(transpose_a, transpose_b, a, b, c);
  if (m == 0 || n == 0) return;
  if (const auto* on_device = device_for(2.0 * m * n * k)) {
    return on_device->gemm(transpose_a, transpose_b, alpha, a, b, beta, c);
  }
  multiply(transpose_a, transpose_b, {m, n, k}, alpha, a, b, beta, c);
}

void gemm(bool transpose_a, bool transpose_b, float alpha, const ConstViewF& a, const ConstViewF& b,
          float beta, ViewF c) {
  const auto [m, n, k] = check_product(transpose_a, transpose_b, a, b, c);
  if (m == 0 || n == 0) return;
  if (const auto* on_device = device_for(2.0 * m * n * k)) {
    return on_device->gemm(transpose_a, transpose_b, alpha, a, b, beta, c);
  }
  multiply(transpose_a, transpose_b, {m, n, k}, alpha, a, b, beta, c);
}

void gemm_lower(bool transpose_a, bool transpose_b, double alpha, const ConstViewD& a, const ConstViewD& b,
                double beta, ViewD c) {
  multiply_lower(transpose_a, transpose_b, alpha, a, b, beta, c);
}
void gemm_lower(bool transpose_a, bool transpose_b, float alpha, const ConstViewF& a, const ConstViewF& b,
                float beta, ViewF c) {
  multiply_lower(transpose_a, transpose_b, alpha, a, b, beta, c);
}

MatrixD product(bool transpose_a, bool transpose_b, const ConstViewD& a, const ConstViewD& b) {
  MatrixD c(transpose_a ? a.cols() : a.rows(), transpose_b ? b.rows() : b.cols());
  gemm(transpose_a, transpose_b, 1.0, a, b, 0.0, c);
  return c;
}

MatrixF product(bool transpose_a, bool transpose_b, const ConstViewF& a, const ConstViewF& b) {
  MatrixF c(transpose_a ? a.cols() : a.rows(), transpose_b ? b.rows() : b.cols());
  gemm(transpose_a, transpose_b, 1.0F, a, b, 0.0F, c);
  return c;
}

void add_gram(const ConstViewD& a, double beta, ViewD c) {
  check_gram(a, c);
  syrk_in_panels(a, beta, c);
}

void add_gram(const ConstViewF& a, float beta, ViewF c) {
  check_gram(a, c);
  syrk_in_panels(a, beta, c);
}

void mirror_lower(ViewD c) {
  if (c.rows() != c.cols()) {
    throw Error(fmt::format("internal: mirror_lower of a [{}, {}] matrix", c.rows(), c.cols()));
  }
  // By tiles, so that both sides of the copy stay in cache.
  constexpr Index tile = 64;
  parallel::for_each_in_threads((c.rows() + tile - 1) / tile, [&](Index strip) {
    const Index i0 = strip * tile, i1 = std::min(i0 + tile, c.rows());
    for (Index j0 = i0; j0 < c.cols(); j0 += tile) {
      const Index j1 = std::min(j0 + tile, c.cols());
      for (Index i = i0; i < i1; ++i) {
        for (Index j = std::max(j0, i + 1); j < j1; ++j) c(i, j) = c(j, i);
      }
    }
  });
}

double eigh_operations(Index n) {
  return 14.0 / 3 * std::pow(static_cast<double>(n), 3);
}

EigenPairs eigh(MatrixD symmetric) {
  if (symmetric.rows() != symmetric.cols()) {
    throw Error(fmt::format("internal: eigh of a [{}, {}] matrix", symmetric.rows(), symmetric.cols()));
  }
  const Index size = symmetric.rows();
  if (!symmetric.allFinite()) {
    throw NumericalError(
        fmt::format("eigendecomposition of a {0} × {0} matrix that holds NaN or infinity", size));
  }
  if (const auto* on_device = device_for(9.0 * static_cast<double>(size * size * size));
      on_device && size > 0) {
    return on_device->eigh(symmetric);
  }
  EigenPairs pairs{VectorD(size), std::move(symmetric)};
  if (size == 0) return pairs;
  const int n = blas_size(size);
  const int lwork = blas_size(1 + 6 * size + 2 * size * size);
  const int liwork = blas_size(3 + 5 * size);
  const auto work = std::make_unique_for_overwrite<double[]>(static_cast<std::size_t>(lwork));
  const auto iwork = std::make_unique_for_overwrite<int[]>(static_cast<std::size_t>(liwork));
  int info = 0;
  // "L" is a twentieth faster than "U": OpenBLAS multiplies that half of a symmetric matrix better.
  dsyevd_("V", "L", &n, pairs.vectors.data(), &n, pairs.values.data(), work.get(), &lwork, iwork.get(),
          &liwork, &info);
  if (info != 0) {
    throw NumericalError(fmt::format(
        "the eigendecomposition of a {0} × {0} matrix did not converge (dsyevd: {1})", size, info));
  }
  pairs.vectors.transposeInPlace();  // LAPACK's vectors are columns of a column-major matrix
  return pairs;
}

}  // namespace cinecortex::linalg
