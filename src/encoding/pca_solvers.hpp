#pragma once
#include "cinecortex/encoding/pca.hpp"
#include "fit_rows.hpp"

namespace cinecortex::encoding {

/// What a fit subtracts and divides by. The same on every rank.
struct Scaling {
  VectorD mean, scale;  ///< [d]
  double total = 0;     ///< sum over columns of the squared deviations, scaled
};

/// The leading eigenpairs of AᵀA, A the centred and scaled fit rows [n, d]. Scaling and convergence are known to
/// every rank; the pairs are complete on root, other ranks hold buffers of the same shape.
struct Solution {
  Scaling scaling;
  VectorD values;         ///< [k] descending
  MatrixD vectors;        ///< [k, d] orthonormal rows
  double residual = 0;    ///< max over pairs of ‖AᵀA v - λ v‖ / λ_1, measured on the rows
  bool converged = true;  ///< false: the limit of products ended it early
};

/// All: collective over comm. `rows` are left centred.
Solution solve_covariance(FitRows& rows, const PcaShape& shape, std::uint64_t seed,
                          const parallel::Communicator& comm);
Solution solve_dual(FitRows& rows, const PcaShape& shape, std::uint64_t seed,
                    const parallel::Communicator& comm);
Solution solve_randomized(FitRows& rows, const PcaShape& shape, std::uint64_t seed,
                          const parallel::Communicator& comm);

}  // namespace cinecortex::encoding
