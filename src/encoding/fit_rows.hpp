#pragma once
#include <vector>

#include "cinecortex/encoding/block_source.hpp"
#include "cinecortex/encoding/pca.hpp"

namespace cinecortex::encoding {

/// The rows a PCA is fitted on, block by block, as the fit sees them: scaled within the run where asked,
/// every m-th row, and, once `centre` was called, minus the mean and divided by the scale. Local, as
/// BlockSource.
class FitRows {
 public:
  FitRows(const BlockSource& features, const PcaOptions& options);
  void centre(VectorD mean, VectorD scale);

  Index blocks() const { return source_.blocks(); }
  Index rows(Index block) const { return rows_[static_cast<std::size_t>(block)]; }
  Index total_rows() const;
  Index columns() const { return source_.columns(); }
  MatrixD read(Index block, Range columns) const;
  MatrixD read(Index block) const { return read(block, {0, columns()}); }

  /// The blocks of this rank, dealt by their rows.
  std::vector<Index> dealt_to(int rank, int ranks) const;

 private:
  const BlockSource& source_;
  Scale scale_mode_;
  Index every_;
  std::vector<Index> rows_;
  VectorD mean_, scale_;  // empty before `centre`
};

}  // namespace cinecortex::encoding
