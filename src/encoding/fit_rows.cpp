#include "fit_rows.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

#include "cinecortex/parallel/threads.hpp"
#include "column_moments.hpp"

namespace cinecortex::encoding {

FitRows::FitRows(const BlockSource& features, const PcaOptions& options)
    : source_(features), scale_mode_(options.scale), every_(options.fit_every) {
  for (Index block = 0; block < features.blocks(); ++block) {
    rows_.push_back((features.rows(block) + every_ - 1) / every_);
  }
}

void FitRows::centre(VectorD mean, const VectorD& scale) {
  mean_ = std::move(mean);
  inverse_scale_ = scale.cwiseInverse();
}

Index FitRows::total_rows() const {
  return std::accumulate(rows_.begin(), rows_.end(), Index{0});
}

Index FitRows::longest_run() const {
  Index longest = 0;
  for (Index block = 0; block < blocks(); ++block) longest = std::max(longest, source_.rows(block));
  return longest;
}

template <class Scalar>
VectorD FitRows::first_means() const {
  const auto first = std::find_if(rows_.begin(), rows_.end(), [](Index rows) { return rows > 0; });
  if (first == rows_.end()) return VectorD::Zero(columns());
  const Matrix<Scalar> run = read_run<Scalar>(first - rows_.begin(), {0, columns()});
  using Picked = Eigen::Map<const Matrix<Scalar>, 0, Eigen::OuterStride<>>;
  ColumnMoments moments(columns());
  moments.add<Scalar>(Picked(run.data(), *first, run.cols(), Eigen::OuterStride<>(run.cols() * every_)));
  return moments.mean();
}

Index FitRows::piece_rows(Index columns, Index bytes) {
  constexpr Index most_bytes = Index{64} << 20;
  return std::clamp<Index>(most_bytes / (bytes * std::max<Index>(columns, 1)), 256, 4096);
}

std::vector<RunBatch> FitRows::batches_of(int rank, int ranks) const {
  constexpr Index enough_rows = 512;  // for a fast product, and few enough to deal evenly
  return batches_of_part(rows_, std::vector<Index>(rows_.size(), 0), enough_rows,
                         std::numeric_limits<Index>::max(), rank, ranks);
}

template <class Scalar>
Matrix<Scalar> FitRows::read_run(Index block, Range columns) const {
  Matrix<Scalar> run;
  if constexpr (std::is_same_v<Scalar, float>) {
    run = source_.read_single(block, columns);
  } else {
    run = source_.read(block, columns);
  }
  if (scale_mode_ == Scale::per_run) standardise(run);
  return run;
}

template <class Scalar>
void FitRows::pick(const Matrix<Scalar>& run, Index first, Range columns, View<Scalar> to) const {
  parallel::for_each_in_threads(to.rows(), [&](Index i) {
    const Scalar* const from = run.row((first + i) * every_).data();
    Scalar* const picked = to.row(i).data();
    if (mean_.size() == 0) {
      std::copy_n(from, columns.size(), picked);
      return;
    }
    const double* const mean = mean_.data() + columns.begin;
    const double* const inverse = inverse_scale_.data() + columns.begin;
    for (Index j = 0; j < columns.size(); ++j) {
      picked[j] = static_cast<Scalar>((static_cast<double>(from[j]) - mean[j]) * inverse[j]);
    }
  });
}

template <class Scalar>
Matrix<Scalar> FitRows::transposed(Range columns) const {
  Matrix<Scalar> turned(columns.size(), total_rows());
  Index at = 0;
  for (Index block = 0; block < blocks(); ++block) {
    const Matrix<Scalar> run = read_run<Scalar>(block, columns);
    Matrix<Scalar> picked(rows(block), columns.size());
    pick<Scalar>(run, 0, columns, picked);
    turned.middleCols(at, rows(block)) = picked.transpose();
    at += rows(block);
  }
  return turned;
}

template VectorD FitRows::first_means<float>() const;
template VectorD FitRows::first_means<double>() const;
template MatrixF FitRows::read_run<float>(Index, Range) const;
template MatrixD FitRows::read_run<double>(Index, Range) const;
template void FitRows::pick<float>(const MatrixF&, Index, Range, ViewF) const;
template void FitRows::pick<double>(const MatrixD&, Index, Range, ViewD) const;
template MatrixF FitRows::transposed<float>(Range) const;
template MatrixD FitRows::transposed<double>(Range) const;

}  // namespace cinecortex::encoding
