#pragma once
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "cinecortex/encoding/block_source.hpp"
#include "cinecortex/parallel/communicator.hpp"

namespace cinecortex::encoding {

enum class Scale {
  none,
  global,   ///< z-score over the fit rows of all runs
  per_run,  ///< z-score every run (block) by itself, before and at transform
};
enum class PcaSolver { automatic, covariance, dual, randomized };
Scale parse_scale(std::string_view name);  ///< none | global | per-run; @throws InputError
PcaSolver parse_pca_solver(
    std::string_view name);  ///< auto | covariance | dual | randomized; @throws InputError

struct PcaOptions {
  Index components = 0;  ///< k; 0: as many as there are, min(d, fit rows - 1)
  Scale scale = Scale::global;
  Index fit_every = 5;  ///< rows 0, fit_every, 2·fit_every, … of every block
  PcaSolver solver = PcaSolver::automatic;
  std::uint64_t seed = 1004;
  double memory_bytes = std::numeric_limits<double>::infinity();  ///< that a rank may use for the fit
};

/// A fitted scaler and PCA. The same on every rank.
struct Pca {
  Scale scale_mode = Scale::global;
  VectorD mean;        ///< [d] of the fit rows after per-run scaling, before division by scale
  VectorD scale;       ///< [d] standard deviation (ddof 0) for `global`, ones otherwise; constant columns: 1
  MatrixD components;  ///< [k, d] orthonormal rows; the largest-magnitude entry of each is positive
  VectorD explained_variance;        ///< [k], ddof 1 as scikit-learn
  VectorD explained_variance_ratio;  ///< [k]
  double orthogonality = 0;          ///< max |C Cᵀ - I|
  double residual = 0;  ///< max over components of ‖S c - λ c‖ / λ_1, S the covariance of the fit rows
  Index fit_rows = 0;
  std::string solver;  ///< the one that ran

  /// Scores [rows, k] of one run's features [rows, d]; of float32 features by float32 products. Copies a strip of
  /// columns at a time.   Collective: no.
  MatrixD transform(const ConstViewD& features) const;
  MatrixD transform(const ConstViewF& features) const;
  /// The same of a block of a source, read in the precision it has.   Collective: no.
  MatrixD transform(const BlockSource& features, Index block) const;
};

/// Sizes of a fit.
struct PcaShape {
  Index rows = 0;        ///< n, fit rows
  Index columns = 0;     ///< d
  Index components = 0;  ///< k ≤ min(d, n - 1)
  bool single = false;   ///< float32 data
  Index block_rows = 0;  ///< longest run, as it is read
};

/// Bytes the fit holds on rank 0, which holds most, at its peak.
/// @pre solver is not `automatic`.   Collective: no.
double pca_bytes(PcaSolver solver, const PcaShape& shape, int ranks);

/// `automatic` becomes the solver of the fewest operations that keeps a rank within `bytes`.
/// @throws InputError if none does, or if a solver asked for by name does not.   Collective: no.
PcaSolver choose_solver(PcaSolver wanted, const PcaShape& shape, int ranks, double bytes);

/// About how many operations the fit takes, of all ranks together, in those of a float64 matrix product.
/// @pre solver is not `automatic`.   Collective: no.
double pca_operations(PcaSolver solver, const PcaShape& shape);

/// Mathematics §7. Rows are streamed block by block; blocks are dealt to ranks by their rows. Of float32 sources
/// the products run in float32, sums in float64. Warns where it ends before residual ≤ 1e-8 is reached.
/// @param features  every block takes part in the fit
/// @throws InputError if options.components exceeds the columns or the fit rows - 1 (says both), and as choose_solver.
/// Collective: over comm; the result does not depend on the number of ranks beyond rounding.
Pca fit_pca(const BlockSource& features, const PcaOptions& options, const parallel::Communicator& comm);

}  // namespace cinecortex::encoding
