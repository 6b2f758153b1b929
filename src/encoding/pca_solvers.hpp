#pragma once
#include "cinecortex/encoding/pca.hpp"
#include "fit_rows.hpp"

namespace cinecortex::encoding {

/// The leading eigenpairs of AᵀA, A the centred and scaled fit rows [n, d]. Complete on root; other ranks
/// hold buffers of the same shape.
struct Leading {
  VectorD values;       ///< [k] descending
  MatrixD vectors;      ///< [k, d] orthonormal rows
  double residual = 0;  ///< max over pairs of ‖AᵀA v - λ v‖ / λ_1
};

/// Sizes of a fit, for choosing and for running it.
struct PcaShape {
  Index rows;        ///< n, fit rows
  Index columns;     ///< d
  Index components;  ///< k ≤ min(d, n - 1)
};

/// `automatic` becomes covariance or dual, whichever costs less, if its square matrix has at most 20,000 rows
/// and it costs less than 1e13 floating-point operations or ten times the randomized solver; else randomized.
PcaSolver choose_solver(PcaSolver wanted, const PcaShape& shape);

/// All: collective over comm; `rows` are centred. Memory a rank, in numbers, beside one block of rows:
/// covariance 4 d² + 2 k d (root 6 d²); dual 4 n² + 2 k d + one column shard of 32 Mi (root 6 n²);
/// randomized 2 l d + 3 l², l = k + max(16, k/8).
Leading solve_covariance(const FitRows& rows, const PcaShape& shape, const parallel::Communicator& comm);
Leading solve_dual(const FitRows& rows, const PcaShape& shape, const parallel::Communicator& comm);
Leading solve_randomized(const FitRows& rows, const PcaShape& shape, std::uint64_t seed,
                         const parallel::Communicator& comm);

}  // namespace cinecortex::encoding
