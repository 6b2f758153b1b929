#include "scoreboard.hpp"

#include <fmt/format.h>

#include <algorithm>

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

}  // namespace

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

std::string Scoreboard::csv() const {
  std::string text = "subject,model,split,group,runs,n,mean_r,median_r\n";
  for (const auto& s : scores_) {
    text += fmt::format("{},{},test,{},{},{},{:.6f},{:.6f}\n", s.subject, s.model, s.group, s.runs, s.rows,
                        encoding::mean(s.r), encoding::median(s.r));
  }
  return text;
}

std::string Scoreboard::table() const {
  std::string text;
  for (const auto& group : groups()) {
    const auto columns = models(group);
    const auto lines = subjects(group);
    const auto* first = find(lines.front(), columns.front(), group);
    text += fmt::format("{}: mean Pearson r over {} parcels, {} run{}\n", group, first->r.size(), first->runs,
                        first->runs == 1 ? "" : "s");
    text += fmt::format("  {:<8}", "");
    for (const auto& model : columns)
      text += fmt::format("  {:>{}}", model, std::max<std::size_t>(model.size(), 7));
    const auto line = [&](const std::string& title, auto&& value) {
      text += fmt::format("\n  {:<8}", title);
      for (const auto& model : columns) {
        text += fmt::format("  {:>{}}", value(model), std::max<std::size_t>(model.size(), 7));
      }
    };
    for (const auto& subject : lines) {
      line(subject, [&](const std::string& model) {
        const auto* score = find(subject, model, group);
        return score ? fmt::format("{:.4f}", encoding::mean(score->r)) : std::string("-");
      });
    }
    if (lines.size() > 1) {
      line("mean", [&](const std::string& model) { return fmt::format("{:.4f}", mean(model, group)); });
    }
    text += "\n\n";
  }
  return text;
}

}  // namespace cinecortex::stages
