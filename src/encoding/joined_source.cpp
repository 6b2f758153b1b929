#include "cinecortex/encoding/joined_source.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "cinecortex/core/error.hpp"
#include "cinecortex/linalg/product_sum.hpp"
#include "ridge_problem.hpp"

namespace cinecortex::encoding {
namespace {

/// Means of the first block with rows, which one rank reads; numbers that float32 holds too, so that nothing is
/// rounded when they are taken from float32 data.   Collective: over comm.
template <class Read>
VectorD first_means(const RidgeProblem& problem, const parallel::Communicator& comm, Index columns,
                    Read read) {
  VectorD means = VectorD::Zero(columns);
  parallel::agree(problem.comm(), [&] {
    if (!comm.root()) return;
    Index block = 0;
    while (problem.rows(block) == 0) ++block;
    means = column_means(read(block));
  });
  comm.broadcast(numbers(means));
  return means.cast<float>().cast<double>();
}

/// Sums over this rank's blocks of one group.
class GroupSums {
 public:
  GroupSums(const RidgeProblem& problem, const VectorD& shift_x, const VectorD& shift_y)
      : problem_(problem),
        shift_x_(shift_x),
        shift_y_(shift_y),
        gram_(shift_x.size()),
        cross_(shift_x.size(), shift_y.size()),
        sum_x_(VectorD::Zero(shift_x.size())),
        sum_y_(VectorD::Zero(shift_y.size())),
        squares_y_(sum_y_) {}

  template <class Scalar>
  void add(Matrix<Scalar> x, Matrix<Scalar> y) {
    x.rowwise() -= shift_x_.transpose().cast<Scalar>();
    y.rowwise() -= shift_y_.transpose().cast<Scalar>();
    const Range share = problem_.share_of_rows({0, x.rows()});
    gram_.add(x.middleRows(share.begin, share.size()));
    cross_.add(x, y);
    sum_x_ += x.template cast<double>().colwise().sum().transpose();
    sum_y_ += y.template cast<double>().colwise().sum().transpose();
    squares_y_ += y.template cast<double>().colwise().squaredNorm().transpose();
  }

  /// Collective: over the problem's communicator.
  Statistics finish(Index rows) {
    Statistics total{.rows = rows,
                     .shift_x = shift_x_,
                     .shift_y = {},
                     .sum_x = std::move(sum_x_),
                     .sum_y = {},
                     .squares_y = {},
                     .gram = gram_.take(),
                     .cross = {}};
    const auto& axis = problem_.grid().run_axis();
    MatrixD cross = cross_.take();
    problem_.comm().sum(numbers(total.gram));
    axis.sum(numbers(cross));
    axis.sum(numbers(total.sum_x));
    axis.sum(numbers(sum_y_));
    axis.sum(numbers(squares_y_));
    const Range owned = problem_.owned();
    total.shift_y = shift_y_.segment(owned.begin, owned.size());
    total.sum_y = sum_y_.segment(owned.begin, owned.size());
    total.squares_y = squares_y_.segment(owned.begin, owned.size());
    total.cross = cross.middleCols(owned.begin, owned.size());
    return total;
  }

 private:
  const RidgeProblem& problem_;
  const VectorD &shift_x_, &shift_y_;
  linalg::GramSum gram_;
  linalg::ProductSum cross_;
  VectorD sum_x_, sum_y_, squares_y_;
};

}  // namespace

JoinedSource::JoinedSource(std::vector<const BlockSource*> parts) : parts_(std::move(parts)) {
  if (parts_.empty()) throw Error("internal: no sources to join");
  const BlockSource& first = *parts_.front();
  for (const auto* part : parts_) {
    if (part->blocks() != first.blocks()) {
      throw InputError(fmt::format("sources of {} and of {} blocks cannot stand side by side", first.blocks(),
                                   part->blocks()));
    }
    for (Index block = 0; block < first.blocks(); ++block) {
      if (part->rows(block) == first.rows(block)) continue;
      throw InputError(fmt::format("{}: {} rows cannot stand beside {} rows", first.name(block),
                                   first.rows(block), part->rows(block)));
    }
    const Index begin = parts_columns_.empty() ? 0 : parts_columns_.back().end;
    parts_columns_.push_back({begin, begin + part->columns()});
  }
}

bool JoinedSource::single_precision() const {
  return std::all_of(parts_.begin(), parts_.end(), [](const auto* part) { return part->single_precision(); });
}

template <class Scalar>
Matrix<Scalar> JoinedSource::read_joined(Index block, Range columns) const {
  Matrix<Scalar> joined(rows(block), columns.size());
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    const Range there = parts_columns_[i];
    const Range both{std::max(columns.begin, there.begin), std::min(columns.end, there.end)};
    if (both.empty()) continue;
    const Range inside{both.begin - there.begin, both.end - there.begin};
    auto to = joined.middleCols(both.begin - columns.begin, both.size());
    if constexpr (std::is_same_v<Scalar, float>) {
      to = parts_[i]->read_single(block, inside);
    } else {
      to = parts_[i]->read(block, inside);
    }
  }
  return joined;
}

MatrixD JoinedSource::read(Index block, Range columns) const {
  return read_joined<double>(block, columns);
}

MatrixF JoinedSource::read_single(Index block, Range columns) const {
  return read_joined<float>(block, columns);
}

std::vector<Statistics> group_statistics(const BlockSource& x, const BlockSource& y,
                                         const std::vector<Index>& group_of, Index groups,
                                         const parallel::Communicator& comm) {
  const RidgeProblem problem(x, y, comm);
  const Range all{0, x.columns()}, targets = problem.grid().targets_local();
  const VectorD shift_x =
      first_means(problem, comm, all.size(), [&](Index block) { return x.read(block, all); });
  const VectorD shift_y = first_means(problem, problem.grid().run_axis(), targets.size(),
                                      [&](Index block) { return y.read(block, targets); });
  const bool single = x.single_precision() && y.single_precision();
  std::vector<Statistics> result;
  for (Index group = 0; group < groups; ++group) {
    GroupSums sums(problem, shift_x, shift_y);
    problem.stream([&](Index block) {
      if (group_of.at(static_cast<std::size_t>(block)) != group) return;
      if (single) {
        sums.add<float>(x.read_single(block, all), y.read_single(block, targets));
      } else {
        sums.add<double>(x.read(block, all), y.read(block, targets));
      }
    });
    Index rows = 0;
    for (Index block = 0; block < problem.blocks(); ++block) {
      if (group_of[static_cast<std::size_t>(block)] == group) rows += problem.rows(block);
    }
    result.push_back(sums.finish(rows));
  }
  return result;
}

}  // namespace cinecortex::encoding
