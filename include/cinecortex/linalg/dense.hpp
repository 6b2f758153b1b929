#pragma once
#include <string>

#include "cinecortex/core/types.hpp"

/// Dense kernels on this process's threads, by OpenBLAS (Eigen's own rank update uses one thread).
/// All row-major; sizes are narrowed to BLAS integers by a throwing cast.   Collective: no.
namespace cinecortex::linalg {

void set_blas_threads(int threads);
std::string
blas_description();  ///< e.g. "OpenBLAS 0.3.21, kernel Zen, 2 threads, dgemm from /…/libopenblas.so.0"
/// Whether BLAS and LAPACK calls of this process, those of libtorch and ScaLAPACK included, end in OpenBLAS.
/// libtorch brings its own: the link order decides (cmake/Dependencies.cmake), main asserts it.
bool blas_is_openblas();

/// c = beta c + alpha op(a) op(b); op transposes where asked. What c holds does not matter where beta is 0.
void gemm(bool transpose_a, bool transpose_b, double alpha, const ConstViewD& a, const ConstViewD& b,
          double beta, ViewD c);
void gemm(bool transpose_a, bool transpose_b, float alpha, const ConstViewF& a, const ConstViewF& b,
          float beta, ViewF c);
/// op(a) op(b)
MatrixD product(bool transpose_a, bool transpose_b, const ConstViewD& a, const ConstViewD& b);
MatrixF product(bool transpose_a, bool transpose_b, const ConstViewF& a, const ConstViewF& b);

/// The lower triangle of a product that is symmetric, by blocks of rows: half of gemm's work. Numbers above the diagonal that
/// share a block with it are written, too.
void gemm_lower(bool transpose_a, bool transpose_b, double alpha, const ConstViewD& a, const ConstViewD& b,
                double beta, ViewD c);
void gemm_lower(bool transpose_a, bool transpose_b, float alpha, const ConstViewF& a, const ConstViewF& b,
                float beta, ViewF c);

/// c = beta c + aᵀ a ([p, p] from a [n, p]), lower triangle only; what lies above is left as it is.
/// @throws Error if the shapes do not fit, as gemm.
void add_gram(const ConstViewD& a, double beta, ViewD c);
void add_gram(const ConstViewF& a, float beta, ViewF c);
void mirror_lower(ViewD c);  ///< copies the lower triangle to the upper

struct EigenPairs {
  VectorD values;   ///< ascending
  MatrixD vectors;  ///< [n, n], column j belongs to values[j]
};
/// All eigenpairs of a symmetric matrix (both triangles filled), by divide and conquer (LAPACK dsyevd).
/// @pre    n < 32,767: LAPACK's workspace of 2 n² is counted in 32 bits; more throws Error
/// @throws NumericalError if it holds NaN or infinity, or does not converge.
EigenPairs eigh(MatrixD symmetric);
/// What it takes at most: 4/3 n³ to tridiagonal form, 4/3 n³ to divide and conquer, 2 n³ back.
double eigh_operations(Index n);

/// Eigenpairs of a positive semi-definite matrix that is nearly diagonal, such as the Gram matrix of almost
/// orthogonal vectors, by Jacobi rotations. Small eigenvalues beside large ones keep their relative accuracy,
/// which `eigh` loses below 1e-16 of the largest.
/// @return values in the order of the diagonal, not sorted
/// @throws NumericalError if it does not converge: it was not nearly diagonal.
EigenPairs polish_eigenpairs(MatrixD nearly_diagonal);

/// Replaces the rows of a [k, d] matrix, k ≤ d, by an orthonormal basis: row i of the result lies in the span
/// of rows 0 … i (Householder QR). Rows that depend on earlier ones become any direction orthogonal to the
/// others.
/// @throws Error if k > d.
void orthonormalise_rows(ViewD rows);

}  // namespace cinecortex::linalg
