#pragma once
#include "cinecortex/encoding/joined_source.hpp"
#include "cinecortex/encoding/lagged_statistics.hpp"

/// Sources that show another one differently. They keep a reference to it.   Collective: no, all of it.
namespace cinecortex::encoding {

/// One block cut into several, by rows.
class RowsOf final : public BlockSource {
 public:
  RowsOf(const BlockSource& source, Index block, std::vector<Range> rows)
      : source_(source), block_(block), rows_(std::move(rows)) {}
  Index blocks() const override { return static_cast<Index>(rows_.size()); }
  Index rows(Index block) const override { return rows_[static_cast<std::size_t>(block)].size(); }
  Index columns() const override { return source_.columns(); }
  MatrixD read(Index block, Range columns) const override {
    return source_.read_rows(block_, rows_[static_cast<std::size_t>(block)], columns);
  }
  bool single_precision() const override { return source_.single_precision(); }
  MatrixF read_single(Index block, Range columns) const override {
    return source_.read_rows_single(block_, rows_[static_cast<std::size_t>(block)], columns);
  }
  MatrixD read_rows(Index block, Range rows, Range columns) const override {
    return source_.read_rows(block_, shifted(block, rows), columns);
  }
  MatrixF read_rows_single(Index block, Range rows, Range columns) const override {
    return source_.read_rows_single(block_, shifted(block, rows), columns);
  }
  using BlockSource::read;
  std::string name(Index block) const override {
    return source_.name(block_) + " fold " + std::to_string(block + 1);
  }

 private:
  Range shifted(Index block, Range rows) const {
    const Index begin = rows_[static_cast<std::size_t>(block)].begin;
    return {begin + rows.begin, begin + rows.end};
  }

  const BlockSource& source_;
  Index block_;
  std::vector<Range> rows_;
};

/// Design rows as they are, for statistics of lagged rows: a single delay of 0.
class Unlagged final : public LaggedSource {
 public:
  explicit Unlagged(const BlockSource& source) : source_(source), design_(Design::fir({0}, Edge::zero)) {}
  const Design& design() const override { return design_; }
  Index components() const override { return source_.columns(); }
  Index blocks() const override { return source_.blocks(); }
  Index feature_rows(Index block) const override { return source_.rows(block); }
  Range times(Index block) const override { return {0, source_.rows(block)}; }
  Index lowest() const override { return 0; }
  MatrixD features(Index block) const override { return source_.read(block); }
  MatrixF features_single(Index block) const override {
    return source_.read_single(block, {0, source_.columns()});
  }
  MatrixD first_features(Index block, Index count) const override {
    return source_.read_rows(block, {0, std::min(count, source_.rows(block))}, {0, source_.columns()});
  }
  bool single_precision() const override { return source_.single_precision(); }
  std::string name(Index block) const override { return source_.name(block); }

 private:
  const BlockSource& source_;
  Design design_;
};

}  // namespace cinecortex::encoding
