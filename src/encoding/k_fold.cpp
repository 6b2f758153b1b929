#include "k_fold.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "source_views.hpp"

namespace cinecortex::encoding {
namespace {

bool whole_blocks(const RidgeProblem& problem, const std::vector<Fold>& folds) {
  for (const Fold& fold : folds) {
    for (Index block = 0; block < problem.blocks(); ++block) {
      const Range rows = fold[static_cast<std::size_t>(block)];
      if (!rows.empty() && rows.size() < problem.rows(block)) return false;
    }
  }
  return true;
}

/// The only block that has rows.
Index single_block(const RidgeProblem& problem) {
  Index block = 0;
  while (problem.rows(block) == 0) ++block;
  return block;
}

std::vector<Statistics> take_all(std::vector<LaggedStatistics> sums, const Design& design) {
  std::vector<Statistics> parts;
  for (auto& sum : sums) parts.push_back(std::move(sum).take(design));
  return parts;
}

}  // namespace

std::vector<Fold> contiguous_folds(const RidgeProblem& problem, Index count) {
  std::vector<Index> blocks;
  for (Index block = 0; block < problem.blocks(); ++block) {
    if (problem.rows(block) > 0) blocks.push_back(block);
  }
  const bool by_rows = blocks.size() == 1;
  const Index items = by_rows ? problem.rows() / 2 : static_cast<Index>(blocks.size());
  if (items < count) {
    throw InputError(
        by_rows ? fmt::format("kfold:{}: {} rows are too few for two in every fold", count, problem.rows())
                : fmt::format("kfold:{}: there are only {} runs to make folds of", count, items));
  }
  std::vector<Fold> folds;
  for (Index f = 0; f < count; ++f) {
    Fold fold(static_cast<std::size_t>(problem.blocks()));
    if (by_rows) {
      fold[static_cast<std::size_t>(blocks[0])] = partition(problem.rows(), count, f);
    } else {
      const Range whole = partition(items, count, f);
      for (Index i = whole.begin; i < whole.end; ++i) {
        const Index block = blocks[static_cast<std::size_t>(i)];
        fold[static_cast<std::size_t>(block)] = {0, problem.rows(block)};
      }
    }
    folds.push_back(std::move(fold));
  }
  return folds;
}

std::vector<Fold> labelled_folds(const RidgeProblem& problem, const std::vector<Index>& label_of) {
  if (static_cast<Index>(label_of.size()) != problem.blocks()) {
    throw InputError(
        "criterion leave-one-season-out: only an experiment knows seasons; here, give groups and use kfold:K "
        "or "
        "leave-one-group-out");
  }
  std::map<Index, Fold> folds;
  for (Index block = 0; block < problem.blocks(); ++block) {
    if (problem.rows(block) == 0) continue;
    const Index label = label_of.at(static_cast<std::size_t>(block));
    auto& fold = folds.try_emplace(label, static_cast<std::size_t>(problem.blocks())).first->second;
    fold[static_cast<std::size_t>(block)] = {0, problem.rows(block)};
  }
  if (folds.size() < 2) {
    throw InputError(
        "criterion leave-one-season-out: the base runs are all of one season or movie, and leaving it "
        "out leaves nothing");
  }
  std::vector<Fold> result;
  for (auto& [label, fold] : folds) result.push_back(std::move(fold));
  return result;
}

std::optional<std::vector<Index>> folds_of_blocks(const RidgeProblem& problem,
                                                  const std::vector<Fold>& folds) {
  if (!whole_blocks(problem, folds)) return std::nullopt;
  std::vector<Index> fold_of(static_cast<std::size_t>(problem.blocks()), 0);
  for (std::size_t fold = 0; fold < folds.size(); ++fold) {
    for (std::size_t block = 0; block < fold_of.size(); ++block) {
      if (!folds[fold][block].empty()) fold_of[block] = static_cast<Index>(fold);
    }
  }
  return fold_of;
}

std::vector<Statistics> fold_statistics(const RidgeProblem& problem, const BlockSource& x,
                                        const std::vector<Fold>& folds, LaggedStatistics::Wanted wanted) {
  const auto count = static_cast<Index>(folds.size());
  const auto group_of = folds_of_blocks(problem, folds);
  if (!group_of) {
    const Index block = single_block(problem);
    std::vector<Range> rows;
    std::vector<Index> piece_of;
    for (const Fold& fold : folds) {
      piece_of.push_back(static_cast<Index>(rows.size()));
      rows.push_back(fold[static_cast<std::size_t>(block)]);
    }
    const RowsOf some_x(x, block, rows), some_y(problem.y(), block, rows);
    const Unlagged plain(some_x);
    return take_all(LaggedStatistics::accumulate(plain, some_y, piece_of, count, problem.comm(), wanted),
                    plain.design());
  }
  if (const auto* lagged = dynamic_cast<const LaggedSource*>(&x)) {
    return take_all(
        LaggedStatistics::accumulate(*lagged, problem.y(), *group_of, count, problem.comm(), wanted),
        lagged->design());
  }
  const Unlagged plain(x);
  return take_all(LaggedStatistics::accumulate(plain, problem.y(), *group_of, count, problem.comm(), wanted),
                  plain.design());
}

}  // namespace cinecortex::encoding
