#pragma once
#include <algorithm>
#include <vector>

#include "cinecortex/encoding/block_source.hpp"
#include "cinecortex/encoding/pca.hpp"
#include "read_ahead.hpp"
#include "run_batches.hpp"

namespace cinecortex::encoding {

/// The rows a PCA is fitted on, as the fit sees them: scaled within the run where asked, every m-th row, and,
/// once `centre` was called, minus the mean and divided by the scale. In float32 where the source's numbers
/// are known no better. Local, as BlockSource.
class FitRows {
 public:
  FitRows(const BlockSource& features, const PcaOptions& options);
  void centre(VectorD mean, const VectorD& scale);

  bool single() const { return source_.single_precision(); }
  Scale scale_mode() const { return scale_mode_; }
  Index blocks() const { return source_.blocks(); }
  Index rows(Index block) const { return rows_[static_cast<std::size_t>(block)]; }
  Index total_rows() const;
  Index longest_run() const;  ///< rows as they are read, whether they take part or not
  Index columns() const { return source_.columns(); }
  /// Means of the first run's fit rows: near the mean of all.
  template <class Scalar>
  VectorD first_means() const;

  /// fn(piece [m, d]) for the rows of one rank. Products of few rows are slow, so neighbouring runs are put together;
  /// which ones, and where pieces are cut, does not depend on the ranks, and so their float32 products round alike.
  template <class Scalar, class Fn>
  void for_each_piece(int rank, int ranks, Fn&& fn) const {
    const Index width = columns(), most = piece_rows(width, sizeof(Scalar));
    const auto batches = batches_of(rank, ranks);
    ReadAhead ahead(blocks_of(batches), [&](Index block) { return read_run<Scalar>(block, {0, width}); });
    Matrix<Scalar> piece;
    for (const RunBatch& batch : batches) {
      piece.resize(std::min(most, batch.rows), width);
      Index filled = 0;
      for (const Index block : batch.blocks) {
        const Matrix<Scalar> run = ahead.next();
        for (Index taken = 0; taken < rows(block);) {
          const Index count = std::min(rows(block) - taken, piece.rows() - filled);
          pick<Scalar>(run, taken, {0, width}, piece.middleRows(filled, count));
          taken += count;
          filled += count;
          if (filled == piece.rows()) {
            fn(ConstView<Scalar>(piece));
            filled = 0;
          }
        }
      }
      if (filled > 0) fn(ConstView<Scalar>(piece.topRows(filled)));
    }
  }

  /// All fit rows, some columns, transposed: [columns, n].
  template <class Scalar>
  Matrix<Scalar> transposed(Range columns) const;

 private:
  static Index piece_rows(Index columns, Index bytes);
  std::vector<RunBatch> batches_of(int rank, int ranks) const;
  template <class Scalar>
  Matrix<Scalar> read_run(Index block, Range columns) const;
  template <class Scalar>
  void pick(const Matrix<Scalar>& run, Index first, Range columns, View<Scalar> to) const;

  const BlockSource& source_;
  Scale scale_mode_;
  Index every_;
  std::vector<Index> rows_;
  VectorD mean_, inverse_scale_;  // empty before `centre`
};

}  // namespace cinecortex::encoding
