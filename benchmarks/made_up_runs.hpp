#pragma once
#include <cmath>

#include "cinecortex/encoding/block_source.hpp"

/// A data set of any size without a file: every number is a function of its row and column, so it is the same for
/// any number of ranks, and no rank makes more of it than it uses.
namespace cinecortex::benchmarks {

/// Uniform with mean 0 and variance 1.
inline float hashed(std::uint64_t seed, Index row, Index column) {
  std::uint64_t bits =
      (seed << 56) ^ (static_cast<std::uint64_t>(row) << 28) ^ static_cast<std::uint64_t>(column);
  for (int round = 0; round < 2; ++round) {
    bits = (bits + 0x9e3779b97f4a7c15ULL) * 0xbf58476d1ce4e5b9ULL;
    bits ^= bits >> 29;
  }
  constexpr float width = 3.4641016f / 16777216.0f;
  return static_cast<float>(static_cast<std::int32_t>(bits >> 40) - 8388608) * width;
}

class MadeUpRuns : public encoding::BlockSource {
 public:
  MadeUpRuns(Index rows, Index run_rows, Index columns)
      : rows_(rows),
        run_rows_(run_rows),
        columns_(columns),
        kept_(static_cast<std::size_t>((rows + run_rows - 1) / run_rows)) {}

  Index blocks() const final { return static_cast<Index>(kept_.size()); }
  Index rows(Index block) const final { return std::min(run_rows_, rows_ - block * run_rows_); }
  Index columns() const final { return columns_; }
  bool single_precision() const final { return true; }
  std::string name(Index block) const final { return "run " + std::to_string(block + 1); }
  using BlockSource::read;
  MatrixD read(Index block, Range columns) const final { return read_single(block, columns).cast<double>(); }
  MatrixF read_single(Index block, Range columns) const final {
    const MatrixF& kept = kept_[static_cast<std::size_t>(block)];
    const Range inside{columns.begin - first_kept_, columns.end - first_kept_};
    if (kept.size() > 0 && inside.begin >= 0 && inside.end <= kept.cols()) {
      return kept.middleCols(inside.begin, inside.size());
    }
    return make(block, columns);
  }

  /// Makes a block before a clock starts, the same columns of each.
  void keep(Index block, Range columns) {
    first_kept_ = columns.begin;
    kept_[static_cast<std::size_t>(block)] = make(block, columns);
  }
  void keep_all() {
    for (Index block = 0; block < blocks(); ++block) keep(block, {0, columns_});
  }

 protected:
  virtual float value(Index row, Index column) const = 0;

 private:
  MatrixF make(Index block, Range columns) const {
    MatrixF values(rows(block), columns.size());
    for (Index i = 0; i < values.rows(); ++i) {
      for (Index j = 0; j < values.cols(); ++j)
        values(i, j) = value(block * run_rows_ + i, columns.begin + j);
    }
    return values;
  }
  Index rows_, run_rows_, columns_, first_kept_ = 0;
  std::vector<MatrixF> kept_;
};

/// Design rows whose variances fall as 1/j, as principal components' do.
class MadeUpDesign final : public MadeUpRuns {
 public:
  /// @param loud  one row of so many is four times as large, and so has a high leverage; 0: none
  MadeUpDesign(Index rows, Index run_rows, Index columns, Index loud = 0)
      : MadeUpRuns(rows, run_rows, columns), loud_(loud) {}

 protected:
  float value(Index row, Index column) const override {
    const float size = loud_ > 0 && row % loud_ == 0 ? 4.0f : 1.0f;
    return size * hashed(1, row, column) / std::sqrt(static_cast<float>(column + 1));
  }

 private:
  Index loud_;
};

/// Responses: two columns of the design and twice as much noise.
class MadeUpResponses final : public MadeUpRuns {
 public:
  MadeUpResponses(Index rows, Index run_rows, Index targets, Index design_columns)
      : MadeUpRuns(rows, run_rows, targets), p_(design_columns) {}

 protected:
  float value(Index row, Index target) const override {
    return hashed(1, row, target % p_) + hashed(1, row, (7 * target + 3) % p_) +
           2.0f * hashed(2, row, target);
  }

 private:
  Index p_;
};

}  // namespace cinecortex::benchmarks
