#include "leverages.hpp"

#include <algorithm>

#include "cinecortex/linalg/dense.hpp"
#include "cinecortex/parallel/threads.hpp"
#include "leave_out.hpp"

namespace cinecortex::encoding {
namespace {

/// 1 - h of rows of U at every alpha: what no alpha reaches, and what shrinking leaves.
class Gaps {
 public:
  Gaps(const VectorD& values, const std::vector<double>& alphas, Index rows_global)
      : shapes_(values.size(), static_cast<Index>(alphas.size())),
        factors_(shapes_.cols()),
        rows_global_(static_cast<double>(rows_global)) {
    for (Index a = 0; a < shapes_.cols(); ++a) {
      const Shrinkage shrinkage(values, alphas[static_cast<std::size_t>(a)]);
      if (values.size() > 0) shapes_.col(a) = shrinkage.shape;
      factors_[a] = shrinkage.factor;
    }
  }

  /// Squares are float64; strips of rows keep them in the cache.
  template <class Scalar>
  void put(const Matrix<Scalar>& u, ViewD to) const {
    constexpr Index strip_rows = 64;
    parallel::for_each_in_threads((u.rows() + strip_rows - 1) / strip_rows, [&](Index i) {
      const Index begin = i * strip_rows, rows = std::min(strip_rows, u.rows() - begin);
      const MatrixD squared = u.middleRows(begin, rows).template cast<double>().cwiseAbs2();
      MatrixD gaps = linalg::product(false, false, squared, shapes_);
      gaps = gaps * factors_.asDiagonal();
      const VectorD rest = (1.0 - 1.0 / rows_global_ - squared.rowwise().sum().array()).matrix();
      gaps.colwise() += rest;
      to.middleRows(begin, rows) = gaps;
    });
  }

 private:
  MatrixD shapes_;
  VectorD factors_;
  double rows_global_;
};

/// The rank of a grid row that makes the rows of U of its i-th block.
int owner(std::size_t i, int parts) {
  return static_cast<int>(i % static_cast<std::size_t>(parts));
}

}  // namespace

Leverages::Leverages(const RidgeProblem& problem, const SpectralForm& form, const std::vector<double>& alphas,
                     Index cache_bytes)
    : form_(form),
      gaps_(MatrixD::Zero(problem.rows(), static_cast<Index>(alphas.size()))),
      kept_single_(static_cast<std::size_t>(problem.blocks())),
      kept_double_(static_cast<std::size_t>(problem.blocks())) {
  // Ranks of a grid row have the same blocks: each makes the rows of U of some, and gives the others those to keep.
  const auto blocks = problem.blocks_with_rows_local();
  const std::size_t kept = blocks_that_fit(problem, blocks, cache_bytes);
  const int part = problem.grid().target_part(), parts = problem.grid().target_parts();
  const Gaps gaps(form.values(), alphas, problem.rows());
  parallel::agree(problem.comm(), [&] {
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      interrupt::check();
      const Index block = blocks[i];
      const bool own = owner(i, parts) == part;
      const auto to = gaps_.middleRows(problem.first_row(block), problem.rows(block));
      if (form.single_precision()) {
        make_rows(
            own, i < kept, problem.rows(block), kept_single_[static_cast<std::size_t>(block)],
            [&] { return form.left_vectors_single(block); }, [&](const MatrixF& u) { gaps.put(u, to); });
      } else {
        make_rows(
            own, i < kept, problem.rows(block), kept_double_[static_cast<std::size_t>(block)],
            [&] { return form.left_vectors(block); }, [&](const MatrixD& u) { gaps.put(u, to); });
      }
    }
  });
  if (parts > 1) {
    const auto row = problem.comm().split(problem.grid().run_part(), part);
    for (std::size_t i = 0; i < kept; ++i) {
      const auto block = static_cast<std::size_t>(blocks[i]);
      row.broadcast(numbers(kept_single_[block]), owner(i, parts));
      row.broadcast(numbers(kept_double_[block]), owner(i, parts));
    }
  }
  problem.comm().sum(numbers(gaps_));
  hard_ = hard_threshold();
}

template <class Scalar, class Make, class Put>
void Leverages::make_rows(bool own, bool keep, Index rows, Matrix<Scalar>& kept, Make&& make,
                          Put&& put) const {
  if (own) {
    Matrix<Scalar> u = make();
    put(u);
    if (keep) kept = std::move(u);
  } else if (keep) {
    kept.resize(rows, form_.rank());
  }
}

std::size_t Leverages::blocks_that_fit(const RidgeProblem& problem, const std::vector<Index>& blocks,
                                       Index cache_bytes) const {
  if (!form_.single_precision() && form_.name() != "primal") return 0;  // the dual form keeps all of U itself
  const Index number = form_.single_precision() ? 4 : 8;
  std::size_t count = 0;
  for (Index bytes = 0; count < blocks.size(); ++count) {
    bytes += problem.rows(blocks[count]) * form_.rank() * number;
    if (bytes > cache_bytes) break;
  }
  return count;
}

double Leverages::hard_threshold() const {
  constexpr double always = 0.05;  // 1 - h
  std::vector<double> least;
  for (Index row = 0; row < gaps_.rows(); ++row) {
    if (const double gap = gaps_.row(row).minCoeff(); gap >= always) least.push_back(gap);
  }
  if (least.size() < 100) return always;
  std::sort(least.begin(), least.end());
  const auto spread = [&](double gap) { return 1.0 / (gap * gap) - 1.0 / (least.back() * least.back()); };
  const double hundredth = least[least.size() / 100];
  return spread(hundredth) < spread(least.front()) / 3 ? hundredth : always;
}

const MatrixF& Leverages::left_vectors(Index block, MatrixF& room) const {
  const MatrixF& kept = kept_single_[static_cast<std::size_t>(block)];
  if (kept.size() > 0) return kept;
  return room = form_.left_vectors_single(block);
}

const MatrixD& Leverages::left_vectors(Index block, MatrixD& room) const {
  const MatrixD& kept = kept_double_[static_cast<std::size_t>(block)];
  if (kept.size() > 0) return kept;
  return room = form_.left_vectors(block);
}

}  // namespace cinecortex::encoding
