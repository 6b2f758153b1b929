#pragma once
#include <string>
#include <vector>

#include "cinecortex/core/types.hpp"

namespace cinecortex::stages {

inline constexpr const char* stacked_model = "stacked";
inline constexpr const char* ceiling_model = "noise ceiling";

/// Pearson r of one model on one group of test runs (a season or a movie), for one subject.
struct Score {
  std::string subject;
  std::string model;  ///< a space, "stacked", or "noise ceiling"
  std::string group;  ///< friends-s6, life, …
  Index runs = 0;
  Index rows = 0;  ///< TRs scored
  VectorD r;       ///< [t]
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

  std::string csv() const;
  std::string table() const;  ///< a table a group: rows are subjects, columns are models

 private:
  std::vector<Score> scores_;
};

}  // namespace cinecortex::stages
