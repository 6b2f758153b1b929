#include "scoreboard.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "cinecortex/core/log.hpp"
#include "cinecortex/encoding/scores.hpp"

namespace cinecortex::stages {
namespace {

template <class Key>
std::vector<std::string> distinct(const std::vector<Score>& scores, const std::string& group, Key&& key) {
  std::vector<std::string> names;
  for (const auto& score : scores) {
    if (!group.empty() && score.group != group) continue;
    const std::string& name = key(score);
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  return names;
}

/// The table of one group: rows are subjects, columns are models.
class GroupTable {
 public:
  GroupTable(const Scoreboard& board, const std::string& group)
      : board_(board), group_(group), models_(board.models(group)), subjects_(board.subjects(group)) {}

  std::string text() {
    const auto* first = board_.find(subjects_.front(), models_.front(), group_);
    text_ = fmt::format("{}: mean Pearson r over {} parcels, {} run{}\n", group_, first->r.size(),
                        first->runs, first->runs == 1 ? "" : "s");
    line("", [](const std::string& model) { return model; });
    for (const auto& subject : subjects_) {
      line(subject, [&](const std::string& model) {
        const auto* score = board_.find(subject, model, group_);
        return score ? fmt::format("{:.4f}", encoding::mean(score->r)) : std::string("-");
      });
    }
    if (subjects_.size() > 1) {
      line("mean",
           [&](const std::string& model) { return fmt::format("{:.4f}", board_.mean(model, group_)); });
    }
    share_line("of ceiling", [&](const Score& score) { return board_.of_ceiling(score); });
    share_line(fmt::format("q < {}", significant_q),
               [](const Score& score) { return score.significant_share(); });
    return text_;
  }

 private:
  template <class Value>
  void line(const std::string& title, Value value) {
    text_ += fmt::format("  {:<10}", title);
    for (const auto& model : models_) {
      text_ += fmt::format("  {:>{}}", value(model), std::max<std::size_t>(model.size(), 7));
    }
    text_ += '\n';
  }

  /// Percentages, means over the subjects that have this number; no line where nobody has.
  template <class Share>
  void share_line(const std::string& title, Share share) {
    std::map<std::string, std::string> percent;
    for (const auto& model : models_) {
      double sum = 0;
      Index count = 0;
      for (const auto& subject : subjects_) {
        const auto* score = board_.find(subject, model, group_);
        const std::optional<double> value = score ? share(*score) : std::nullopt;
        if (!value) continue;
        sum += *value;
        ++count;
      }
      if (count > 0) percent[model] = fmt::format("{:.0f}%", 100 * sum / static_cast<double>(count));
    }
    if (percent.empty()) return;
    line(title, [&](const std::string& model) { return percent.contains(model) ? percent[model] : "-"; });
  }

  const Scoreboard& board_;
  std::string group_;
  std::vector<std::string> models_, subjects_;
  std::string text_;
};

}  // namespace

std::optional<Index> Score::significant() const {
  if (q.size() == 0) return std::nullopt;
  return (q.array() < significant_q).count();
}

std::optional<double> Score::significant_share() const {
  const auto count = significant();
  if (!count) return std::nullopt;
  return static_cast<double>(*count) / static_cast<double>(q.size());
}

std::vector<std::string> Scoreboard::groups() const {
  return distinct(scores_, "", [](const Score& s) -> const std::string& { return s.group; });
}

std::vector<std::string> Scoreboard::models(const std::string& group) const {
  return distinct(scores_, group, [](const Score& s) -> const std::string& { return s.model; });
}

std::vector<std::string> Scoreboard::subjects(const std::string& group) const {
  return distinct(scores_, group, [](const Score& s) -> const std::string& { return s.subject; });
}

const Score* Scoreboard::find(const std::string& subject, const std::string& model,
                              const std::string& group) const {
  const auto found = std::find_if(scores_.begin(), scores_.end(), [&](const Score& s) {
    return s.subject == subject && s.model == model && s.group == group;
  });
  return found == scores_.end() ? nullptr : &*found;
}

double Scoreboard::mean(const std::string& model, const std::string& group) const {
  double sum = 0;
  Index count = 0;
  for (const auto& score : scores_) {
    if (score.model != model || score.group != group) continue;
    sum += encoding::mean(score.r);
    ++count;
  }
  return count > 0 ? sum / static_cast<double>(count) : 0;
}

std::optional<double> Scoreboard::of_ceiling(const Score& score) const {
  const auto* ceiling = find(score.subject, ceiling_model, score.group);
  if (!ceiling || score.model == ceiling_model) return std::nullopt;
  const double limit = encoding::mean(ceiling->r);
  if (limit <= 0) return std::nullopt;
  return encoding::mean(score.r) / limit;
}

std::string Scoreboard::csv() const {
  std::string text = "subject,model,split,group,runs,n,mean_r,median_r,significant,of_ceiling\n";
  for (const auto& s : scores_) {
    const auto significant = s.significant();
    const auto relative = of_ceiling(s);
    text += fmt::format("{},{},test,{},{},{},{:.6f},{:.6f},{},{}\n", s.subject, s.model, s.group, s.runs,
                        s.rows, encoding::mean(s.r), encoding::median(s.r),
                        significant ? std::to_string(*significant) : "",
                        relative ? fmt::format("{:.6f}", *relative) : "");
  }
  return text;
}

std::string Scoreboard::table() const {
  std::string text;
  for (const auto& group : groups()) text += GroupTable(*this, group).text() + '\n';
  return text;
}

void warn_of_few(const encoding::BlockPermutations& permutations,
                 const encoding::SignificanceOptions& significance, const std::string& scored,
                 const std::string& setting) {
  log::warn(
      "{}: {} rows in blocks of {} TRs can be permuted in {:.0f} ways only, so p is at least {:.2g} or so "
      "({})",
      scored, permutations.rows(), significance.block_tr, permutations.distinct(),
      1 / permutations.distinct(), setting);
}

}  // namespace cinecortex::stages
