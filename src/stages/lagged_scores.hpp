#pragma once
#include "cinecortex/encoding/lagged_statistics.hpp"
#include "sources.hpp"

namespace cinecortex::stages {

/// The leading components of one space at some delays, run by run.
class LaggedScores final : public encoding::LaggedSource {
 public:
  LaggedScores(const ScoreReader& scores, encoding::Design design, Index components, const DataConfig& data,
               std::vector<Presentation> presentations, std::vector<Range> times)
      : scores_(scores),
        design_(std::move(design)),
        components_(components),
        data_(data),
        presentations_(std::move(presentations)),
        times_(std::move(times)),
        seasons_(seasons_of(presentations_)) {}
  /// At all trimmed TRs.
  LaggedScores(const ScoreReader& scores, encoding::Design design, Index components, const DataConfig& data,
               const std::vector<Presentation>& presentations)
      : LaggedScores(scores, std::move(design), components, data, presentations,
                     trimmed_times(presentations, data)) {}

  const encoding::Design& design() const override { return design_; }
  Index components() const override { return components_; }
  Index feature_rows(Index block) const override { return scores_.rows(task(block)); }
  Range times(Index block) const override { return times_[static_cast<std::size_t>(block)]; }
  Index lowest() const override { return data_.trim_tr[0]; }
  MatrixD features(Index block) const override {
    return scores_.read<double>(task(block)).leftCols(components_);
  }
  MatrixF features_single(Index block) const override {
    return scores_.read<float>(task(block)).leftCols(components_);
  }
  Index season(Index block) const override { return seasons_[static_cast<std::size_t>(block)]; }
  bool single_precision() const override { return true; }
  Index blocks() const override { return static_cast<Index>(presentations_.size()); }
  std::string name(Index block) const override { return task(block); }

 private:
  static std::vector<Range> trimmed_times(const std::vector<Presentation>& presentations,
                                          const DataConfig& data) {
    std::vector<Range> times;
    for (const auto& shown : presentations) times.push_back(trimmed(shown.rows, data));
    return times;
  }
  const Presentation& presentation(Index block) const {
    return presentations_[static_cast<std::size_t>(block)];
  }
  const std::string& task(Index block) const { return presentation(block).run->id.task; }

  const ScoreReader& scores_;
  encoding::Design design_;
  Index components_;
  const DataConfig& data_;
  std::vector<Presentation> presentations_;
  std::vector<Range> times_;
  std::vector<Index> seasons_;
};

}  // namespace cinecortex::stages
