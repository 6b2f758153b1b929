#include "leverages.hpp"

#include <algorithm>
#include <limits>
#include <span>

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
  void put(const ConstView<Scalar>& u, ViewD to) const {
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

std::vector<RunBatch> grouped(const RidgeProblem& problem) {
  std::vector<Index> rows(static_cast<std::size_t>(problem.blocks()), 0);  // of this rank's blocks
  for (const Index block : problem.blocks_with_rows_local()) {
    rows[static_cast<std::size_t>(block)] = problem.rows(block);
  }
  const std::vector<Index> one_label(rows.size(), 0);
  return batches_of_part(rows, one_label, rows_together, std::numeric_limits<Index>::max(), 0, 1);
}

std::size_t groups_that_fit(const std::vector<RunBatch>& groups, Index bytes_of_a_row, Index cache_bytes) {
  std::size_t count = 0;
  for (Index bytes = 0; count < groups.size(); ++count) {
    bytes += groups[count].rows * bytes_of_a_row;
    if (bytes > cache_bytes) break;
  }
  return count;
}

/// A block among its group's rows, and the rank of the grid row that makes its rows of U.
struct Piece {
  std::size_t group;
  Index block;
  Range rows;
  int owner;
};

/// Ranks of a grid row have the same blocks: each makes some, and gives the others those to keep.
std::vector<Piece> deal(const std::vector<RunBatch>& groups, const RidgeProblem& problem) {
  std::vector<Piece> pieces;
  for (std::size_t group = 0; group < groups.size(); ++group) {
    Index begin = 0;
    for (const Index block : groups[group].blocks) {
      const auto owner = std::ssize(pieces) % problem.grid().target_parts();
      pieces.push_back({group, block, {begin, begin + problem.rows(block)}, static_cast<int>(owner)});
      begin += problem.rows(block);
    }
  }
  return pieces;
}

}  // namespace

Leverages::Leverages(const RidgeProblem& problem, const SpectralForm& form, const std::vector<double>& alphas,
                     Index cache_bytes)
    : form_(form),
      run_parts_(problem.grid().run_parts()),
      groups_(grouped(problem)),
      gaps_(MatrixD::Zero(problem.rows(), static_cast<Index>(alphas.size()))) {
  if (form.single_precision()) {
    make<float>(problem, alphas, cache_bytes);
  } else {
    // The dual form keeps all of U itself.
    make<double>(problem, alphas, form.name() == "primal" ? cache_bytes : 0);
  }
  problem.comm().sum(numbers(gaps_));
  hard_ = hard_threshold();
}

template <class Scalar>
void Leverages::make(const RidgeProblem& problem, const std::vector<double>& alphas, Index cache_bytes) {
  const Index rank = form_.rank();
  const auto keep = groups_that_fit(groups_, rank * static_cast<Index>(sizeof(Scalar)), cache_bytes);
  const int part = problem.grid().target_part(), parts = problem.grid().target_parts();
  const auto pieces = deal(groups_, problem);
  auto& kept = kept_.emplace<std::vector<Matrix<Scalar>>>(keep);
  parallel::agree(problem.comm(), [&] {
    const Gaps gaps(form_.values(), alphas, problem.rows());
    Matrix<Scalar> room;
    for (const Piece& piece : pieces) {
      interrupt::check();
      const auto put = [&](View<Scalar> u) {
        form_.put_left_vectors(piece.block, u);
        gaps.put<Scalar>(u, gaps_.middleRows(problem.first_row(piece.block), piece.rows.size()));
      };
      if (piece.group < keep) {
        Matrix<Scalar>& of_group = kept[piece.group];
        of_group.resize(groups_[piece.group].rows, rank);
        auto rows = of_group.middleRows(piece.rows.begin, piece.rows.size());
        if (piece.owner == part) {
          put(rows);
        } else {
          rows.setZero();  // fresh pages, made by all ranks at once: broadcasts would wait for each rank's in turn
        }
      } else if (piece.owner == part) {
        room.resize(piece.rows.size(), rank);
        put(room);
      }
    }
  });
  if (parts == 1) return;
  const auto row = problem.comm().split(problem.grid().run_part(), part);
  for (const Piece& piece : pieces) {
    if (piece.group >= keep) break;
    Scalar* first = kept[piece.group].data() + piece.rows.begin * rank;
    row.broadcast(std::span(first, static_cast<std::size_t>(piece.rows.size() * rank)), piece.owner);
  }
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

Index Leverages::most_rows() const {
  Index most = 0;
  for (const RunBatch& group : groups_) most = std::max(most, group.rows);
  return most;
}

template <class Scalar>
ConstView<Scalar> Leverages::left_vectors(std::size_t group, Matrix<Scalar>& room) const {
  const auto* kept = std::get_if<std::vector<Matrix<Scalar>>>(&kept_);
  if (kept != nullptr && group < kept->size()) return (*kept)[group];
  room.resize(most_rows(), form_.rank());
  Index count = 0;
  for (const Index block : groups_[group].blocks) {
    form_.put_left_vectors(block, room.middleRows(count, form_.rows(block)));
    count += form_.rows(block);
  }
  return room.topRows(count);
}

template ConstViewF Leverages::left_vectors(std::size_t, MatrixF&) const;
template ConstViewD Leverages::left_vectors(std::size_t, MatrixD&) const;

}  // namespace cinecortex::encoding
