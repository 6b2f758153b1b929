#pragma once
#include <optional>
#include <string>
#include <vector>

#include "cinecortex/core/types.hpp"
#include "cinecortex/encoding/significance.hpp"

namespace cinecortex::stages {

inline constexpr const char* stacked_model = "stacked";
/// The false discovery rate below which a target counts as significant.
inline constexpr double significant_q = 0.05;
inline constexpr const char* ceiling_model = "noise ceiling";

/// Pearson r of one model on one group of test runs (a season or a movie), for one subject.
struct Score {
  std::string subject;
  std::string model;  ///< a space, "stacked", or "noise ceiling"
  std::string group;  ///< friends-s6, life, …
  Index runs = 0;
  Index rows = 0;  ///< TRs scored
  VectorD r;       ///< [t]
  VectorD p, q;    ///< [t] significance of r by permutation, and the false discovery rate; empty: not tested
  std::optional<Index> significant() const;         ///< targets with q below significant_q; none: not tested
  std::optional<double> significant_share() const;  ///< … ÷ all targets
};

/// All scores of an experiment, and how they are shown.   Collective: no, none of it.
class Scoreboard {
 public:
  void add(Score score) { scores_.push_back(std::move(score)); }
  const std::vector<Score>& scores() const noexcept { return scores_; }
  std::vector<std::string> groups() const;                          ///< in order of appearance
  std::vector<std::string> models(const std::string& group) const;  ///< likewise
  std::vector<std::string> subjects(const std::string& group) const;
  const Score* find(const std::string& subject, const std::string& model, const std::string& group) const;
  /// Mean r over parcels, then over the subjects that have this score.
  double mean(const std::string& model, const std::string& group) const;
  /// Mean r of a score ÷ mean noise ceiling of its subject and group; none without a ceiling above 0.
  std::optional<double> of_ceiling(const Score& score) const;

  std::string csv() const;
  std::string table() const;  ///< a table a group: rows are subjects, columns are models

 private:
  std::vector<Score> scores_;
};

/// Warns that these permutations are few, so that p cannot get small. For rank 0.   Collective: no.
/// @param scored  what is scored   @param setting  where the length of blocks is set
void warn_of_few(const encoding::BlockPermutations& permutations,
                 const encoding::SignificanceOptions& significance, const std::string& scored,
                 const std::string& setting);

}  // namespace cinecortex::stages
