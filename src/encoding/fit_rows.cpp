#include "fit_rows.hpp"

#include <numeric>

#include "cinecortex/parallel/grid.hpp"
#include "column_moments.hpp"

namespace cinecortex::encoding {

FitRows::FitRows(const BlockSource& features, const PcaOptions& options)
    : source_(features), scale_mode_(options.scale), every_(options.fit_every) {
  for (Index block = 0; block < features.blocks(); ++block) {
    rows_.push_back((features.rows(block) + every_ - 1) / every_);
  }
}

void FitRows::centre(VectorD mean, VectorD scale) {
  mean_ = std::move(mean);
  scale_ = std::move(scale);
}

Index FitRows::total_rows() const {
  return std::accumulate(rows_.begin(), rows_.end(), Index{0});
}

MatrixD FitRows::read(Index block, Range columns) const {
  MatrixD all = source_.read(block, columns);
  if (scale_mode_ == Scale::per_run) standardise(all);
  for (Index i = 1; i < rows(block); ++i) all.row(i) = all.row(i * every_);
  all.conservativeResize(rows(block), Eigen::NoChange);
  if (mean_.size() > 0) {
    all.rowwise() -= mean_.segment(columns.begin, columns.size()).transpose();
    all.array().rowwise() /= scale_.segment(columns.begin, columns.size()).transpose().array();
  }
  return all;
}

std::vector<Index> FitRows::dealt_to(int rank, int ranks) const {
  return parallel::deal_longest_first(rows_, ranks)[static_cast<std::size_t>(rank)];
}

}  // namespace cinecortex::encoding
