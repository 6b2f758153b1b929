#include "cinecortex/encoding/pca.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cinecortex/core/error.hpp"
#include "cinecortex/core/log.hpp"
#include "cinecortex/linalg/dense.hpp"
#include "cinecortex/parallel/agree.hpp"
#include "cinecortex/parallel/threads.hpp"
#include "column_moments.hpp"
#include "columns.hpp"
#include "fit_rows.hpp"
#include "pca_costs.hpp"
#include "pca_solvers.hpp"

namespace cinecortex::encoding {
namespace {

using parallel::agree;
using parallel::Communicator;

FitRows checked_rows(const BlockSource& features, const PcaOptions& options) {
  if (options.fit_every < 1) {
    throw InputError(
        fmt::format("pca: fit_every {}: every 1st row or fewer, so 1 or more", options.fit_every));
  }
  return FitRows(features, options);
}

PcaShape checked_shape(const FitRows& rows, const PcaOptions& options) {
  const Index n = rows.total_rows();
  const Index d = rows.columns();
  if (n < 2 || d < 1) {
    throw InputError(
        fmt::format("pca: {} fit rows of {} columns: at least 2 rows and 1 column are needed", n, d));
  }
  const Index most = std::min(d, n - 1);
  if (options.components < 0 || options.components > most) {
    throw InputError(
        fmt::format("pca: {} components asked for, but at most {} are possible: the smaller of {} columns "
                    "and {} fit rows - 1 "
                    "(\"all\": as many as there are)",
                    options.components, most, d, n));
  }
  return {.rows = n,
          .columns = d,
          .components = options.components == 0 ? most : options.components,
          .single = rows.single(),
          .block_rows = rows.longest_run()};
}

Solution solve(PcaSolver solver, FitRows& rows, const PcaShape& shape, std::uint64_t seed,
               const Communicator& comm) {
  switch (solver) {
    case PcaSolver::covariance:
      return solve_covariance(rows, shape, seed, comm);
    case PcaSolver::dual:
      return solve_dual(rows, shape, seed, comm);
    case PcaSolver::randomized:
      return solve_randomized(rows, shape, seed, comm);
    case PcaSolver::automatic:
      break;
  }
  throw Error("internal: the PCA solver was not chosen");
}

/// The largest-magnitude entry of each row becomes positive; of entries that are equal but for rounding the
/// first one decides, so that rounding does not.
void fix_signs(MatrixD& rows) {
  for (Index i = 0; i < rows.rows(); ++i) {
    const double nearly_largest = rows.row(i).cwiseAbs().maxCoeff() * (1.0 - 1e-9);
    Index j = 0;
    while (std::abs(rows(i, j)) < nearly_largest) ++j;
    if (rows(i, j) < 0) rows.row(i) *= -1.0;
  }
}

double departure_from_orthonormal(const MatrixD& rows) {
  MatrixD gram = linalg::product(false, true, rows, rows);
  gram.diagonal().array() -= 1.0;
  return gram.cwiseAbs().maxCoeff();
}

/// Fills what follows from the eigenpairs, on root, and gives every rank root's numbers.
void finish(Pca& pca, Solution solution, const Communicator& comm) {
  agree(comm, [&] {
    const double degrees = static_cast<double>(pca.fit_rows - 1);
    pca.mean = std::move(solution.scaling.mean);
    pca.scale = std::move(solution.scaling.scale);
    pca.components = std::move(solution.vectors);
    pca.explained_variance = solution.values / degrees;
    pca.explained_variance_ratio = VectorD::Zero(solution.values.size());
    pca.residual = solution.residual;
    if (!comm.root()) return;
    if (solution.scaling.total > 0) pca.explained_variance_ratio = solution.values / solution.scaling.total;
    fix_signs(pca.components);
    pca.orthogonality = departure_from_orthonormal(pca.components);
  });
  comm.broadcast(numbers(pca.components));
  comm.broadcast(numbers(pca.explained_variance));
  comm.broadcast(numbers(pca.explained_variance_ratio));
  comm.broadcast(std::span(&pca.orthogonality, 1));
  comm.broadcast(std::span(&pca.residual, 1));
}

/// Strips of columns: the copy that is centred and scaled stays small.
template <class Scalar>
MatrixD scores_of(const Pca& pca, const ConstView<Scalar>& features) {
  constexpr Index strip = 2048;
  if (features.cols() != pca.mean.size()) {
    throw InputError(fmt::format("pca: features have {} columns, but the components were fitted on {}",
                                 features.cols(), pca.mean.size()));
  }
  MatrixD scores = MatrixD::Zero(features.rows(), pca.components.rows());
  Matrix<Scalar> part(features.rows(), pca.components.rows()), scaled, axes;
  for (Index begin = 0; begin < features.cols(); begin += strip) {
    const Index width = std::min(strip, features.cols() - begin);
    const auto mean = pca.mean.segment(begin, width).transpose().array();
    const Eigen::ArrayXd inverse = pca.scale.segment(begin, width).array().inverse();
    scaled.resize(features.rows(), width);
    axes.resize(pca.components.rows(), width);
    if (pca.scale_mode == Scale::per_run) {
      scaled = features.middleCols(begin, width);
      standardise(scaled);
    }
    const auto& from = pca.scale_mode == Scale::per_run
                           ? ConstView<Scalar>(scaled)
                           : ConstView<Scalar>(features.middleCols(begin, width));
    parallel::for_each_in_threads(features.rows(), [&](Index row) {
      scaled.row(row) = ((from.row(row).template cast<double>().array() - mean) * inverse.transpose())
                            .template cast<Scalar>();
    });
    parallel::for_each_in_threads(axes.rows(), [&](Index k) {
      axes.row(k) = pca.components.row(k).segment(begin, width).template cast<Scalar>();
    });
    linalg::gemm(false, true, Scalar{1}, scaled, axes, Scalar{0}, part);
    parallel::for_each_in_threads(
        scores.rows(), [&](Index row) { scores.row(row) += part.row(row).template cast<double>(); });
  }
  return scores;
}

}  // namespace

Scale parse_scale(std::string_view name) {
  if (name == "none") return Scale::none;
  if (name == "global") return Scale::global;
  if (name == "per-run") return Scale::per_run;
  throw InputError(fmt::format("pca scale \"{}\": allowed are none, global, per-run", name));
}

PcaSolver parse_pca_solver(std::string_view name) {
  for (const PcaSolver solver :
       {PcaSolver::automatic, PcaSolver::covariance, PcaSolver::dual, PcaSolver::randomized}) {
    if (name == name_of(solver)) return solver;
  }
  throw InputError(fmt::format("pca solver \"{}\": allowed are auto, covariance, dual, randomized", name));
}

MatrixD Pca::transform(const ConstViewD& features) const {
  return scores_of<double>(*this, features);
}

MatrixD Pca::transform(const ConstViewF& features) const {
  return scores_of<float>(*this, features);
}

MatrixD Pca::transform(const BlockSource& features, Index block) const {
  const Range columns{0, features.columns()};
  return features.single_precision() ? transform(features.read_single(block, columns))
                                     : transform(features.read(block, columns));
}

Pca fit_pca(const BlockSource& features, const PcaOptions& options, const Communicator& comm) {
  FitRows rows = agree(comm, [&] { return checked_rows(features, options); });
  const PcaShape shape = agree(comm, [&] { return checked_shape(rows, options); });
  if (comm.root() && shape.rows < 2 * shape.components) {
    log::warn("pca: {} fit rows for {} components: fewer than two rows a component fit noise", shape.rows,
              shape.components);
  }
  Pca pca;
  pca.scale_mode = options.scale;
  pca.fit_rows = shape.rows;
  const double bytes = comm.min(options.memory_bytes);
  const PcaSolver solver =
      agree(comm, [&] { return choose_solver(options.solver, shape, comm.size(), bytes); });
  pca.solver = name_of(solver);
  Solution solution = solve(solver, rows, shape, options.seed, comm);
  const bool converged = solution.converged;
  finish(pca, std::move(solution), comm);
  if (comm.root() && pca.explained_variance_ratio.isZero(0)) {
    log::warn("pca: no column varies {}, so the components explain nothing",
              options.scale == Scale::per_run ? "within a run" : "over the fit rows");
  }
  if (comm.root() && !converged) {
    log::warn("pca: the {} solver gave up at a residual of {:.1e}; 1e-8 was wanted. Ask for fewer components",
              pca.solver, pca.residual);
  }
  return pca;
}

}  // namespace cinecortex::encoding
