#include "column_moments.hpp"

#include <algorithm>
#include <limits>

#include "any_processor.hpp"
#include "cinecortex/parallel/threads.hpp"
#include "columns.hpp"

namespace cinecortex::encoding {
namespace {

constexpr Index slab_columns =
    64;  ///< so few that a run's rows of them stay in a core's cache between two passes

/// Some columns of rows that lie `row_step` numbers apart.
template <class Scalar>
struct Slab {
  const Scalar* numbers;
  Index row_step, rows, columns;
};

/// sums += Σ (x - about), squares += Σ (x - about)², each [columns].
template <class Scalar>
[[gnu::always_inline]] inline void add_slab(const Slab<Scalar>& slab, const double* about, double* sums,
                                            double* squares) {
  for (Index i = 0; i < slab.rows; ++i) {
    const Scalar* const row = slab.numbers + i * slab.row_step;
    for (Index j = 0; j < slab.columns; ++j) {
      const double from = static_cast<double>(row[j]) - about[j];
      sums[j] += from;
      squares[j] += from * from;
    }
  }
}

CINECORTEX_ANY_PROCESSOR void add_deviations(const Slab<float>& slab, const double* about, double* sums,
                                             double* squares) {
  add_slab(slab, about, sums, squares);
}
CINECORTEX_ANY_PROCESSOR void add_deviations(const Slab<double>& slab, const double* about, double* sums,
                                             double* squares) {
  add_slab(slab, about, sums, squares);
}

}  // namespace

ColumnMoments::ColumnMoments(Index columns) : mean_(VectorD::Zero(columns)), m2_(VectorD::Zero(columns)) {}

template <class Scalar>
void ColumnMoments::add(const ConstView<Scalar>& rows) {
  if (rows.rows() == 0) return;
  const auto added = static_cast<double>(rows.rows());
  const double total = static_cast<double>(rows_) + added;
  parallel::for_each_in_threads((rows.cols() + slab_columns - 1) / slab_columns, [&](Index s) {
    const Index begin = s * slab_columns, width = std::min(slab_columns, rows.cols() - begin);
    const Slab<Scalar> slab{rows.data() + begin, rows.outerStride(), rows.rows(), width};
    using Columns = Eigen::Array<double, Eigen::Dynamic, 1, 0, slab_columns, 1>;
    // Relative to the first row: a constant column has exactly its value as mean and no deviation.
    const Columns first = rows.row(0).segment(begin, width).transpose().template cast<double>();
    Columns sums = Columns::Zero(width), squares = Columns::Zero(width);
    add_deviations(slab, first.data(), sums.data(), squares.data());
    const Columns mean = first + sums / added;
    sums.setZero();
    squares.setZero();
    add_deviations(slab, mean.data(), sums.data(), squares.data());
    const Columns delta = mean - mean_.segment(begin, width).array();
    m2_.segment(begin, width).array() +=
        squares + delta.square() * (static_cast<double>(rows_) * added / total);
    mean_.segment(begin, width).array() += delta * (added / total);
  });
  rows_ += rows.rows();
}

template void ColumnMoments::add<float>(const ConstViewF&);
template void ColumnMoments::add<double>(const ConstViewD&);

void ColumnMoments::merge(const parallel::Communicator& comm) {
  const Index total = comm.sum(rows_);
  if (total == 0) return;
  VectorD mean = mean_ * (static_cast<double>(rows_) / static_cast<double>(total));
  comm.sum(numbers(mean));
  m2_ += (mean_ - mean).cwiseAbs2() * static_cast<double>(rows_);
  comm.sum(numbers(m2_));
  comm.broadcast(numbers(mean));
  comm.broadcast(numbers(m2_));
  mean_ = std::move(mean);
  rows_ = total;
}

VectorD ColumnMoments::squared_deviations() const {
  // Merged means of equal numbers may differ in their last digits.
  constexpr double rounding = 16 * std::numeric_limits<double>::epsilon();
  const VectorD noise = (mean_ * rounding).cwiseAbs2() * static_cast<double>(rows_);
  return (m2_.array() > noise.array()).select(m2_, 0.0);
}

VectorD ColumnMoments::scale() const {
  const VectorD sd = (squared_deviations() / static_cast<double>(rows_)).cwiseSqrt();
  return (sd.array() > 0.0).select(sd, 1.0);
}

template <class Scalar>
void standardise(Matrix<Scalar>& rows) {
  if (rows.rows() == 0) return;
  ColumnMoments moments(rows.cols());
  moments.add<Scalar>(rows);
  const VectorD scale = moments.scale();
  parallel::for_each_in_threads(rows.rows(), [&](Index i) {
    Scalar* const row = rows.row(i).data();
    for (Index j = 0; j < rows.cols(); ++j) {
      row[j] = static_cast<Scalar>((static_cast<double>(row[j]) - moments.mean()[j]) / scale[j]);
    }
  });
}

template void standardise<float>(MatrixF&);
template void standardise<double>(MatrixD&);

}  // namespace cinecortex::encoding
