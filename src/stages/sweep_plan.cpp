#include "sweep_plan.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <optional>

#include "cinecortex/core/log.hpp"
#include "cinecortex/core/progress.hpp"

namespace cinecortex::stages {
namespace {

using encoding::Design;

bool without_gaps(const Design& design) {
  return design.delays().front() - design.delays().back() + 1 == static_cast<Index>(design.delays().size());
}

std::vector<SweepCase> designs(const SweepConfig& sweep, const Design& own, const std::string& where) {
  std::vector<SweepCase> all;
  for (const auto& delays : sweep.delays) all.push_back({0, Design::fir(delays, own.edge()), false});
  if (!all.empty()) return all;
  if (sweep.delay.empty() && sweep.window.empty()) return {{0, own, without_gaps(own)}};
  if ((sweep.delay.empty() || sweep.window.empty()) && !without_gaps(own)) {
    throw InputError(
        fmt::format("{} has the delays {}, which are no window: the sweep must say both delay and window",
                    where, fmt::join(own.delays(), ", ")));
  }
  const auto or_own = [](const std::vector<Index>& given, Index value) {
    return given.empty() ? std::vector<Index>{value} : given;
  };
  for (const Index delay : or_own(sweep.delay, own.delays().back())) {
    for (const Index window : or_own(sweep.window, static_cast<Index>(own.delays().size()))) {
      all.push_back({0, Design::shifted_window(delay, window, own.edge()), true});
    }
  }
  return all;
}

/// Cases of one unit dealt to several parts, the largest first to the part with least to do.
std::vector<std::vector<std::size_t>> split(const std::vector<SweepCase>& cases, Index parts) {
  std::vector<std::size_t> order(cases.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return cases[a].columns() > cases[b].columns(); });
  std::vector<std::vector<std::size_t>> shares(static_cast<std::size_t>(parts));
  std::vector<double> load(shares.size(), 0);
  for (const std::size_t i : order) {
    const auto least = static_cast<std::size_t>(std::min_element(load.begin(), load.end()) - load.begin());
    const auto p = static_cast<double>(cases[i].columns());
    load[least] += p * p * p;
    shares[least].push_back(i);
  }
  for (auto& share : shares) std::sort(share.begin(), share.end());
  return shares;
}

/// Numbers of the first block that each name stands for, in order of appearance.
std::vector<Index> number(const std::vector<std::string>& names, Index& count) {
  std::map<std::string, Index> seen;
  std::vector<Index> numbers;
  for (const auto& name : names)
    numbers.push_back(seen.emplace(name, static_cast<Index>(seen.size())).first->second);
  count = static_cast<Index>(seen.size());
  return numbers;
}

}  // namespace

const SweepConfig& wanted_sweep(const Experiment& experiment) {
  if (experiment.sweep) return *experiment.sweep;
  throw InputError(
      "the experiment has no table [sweep], which says what to try: components, delay, window, …");
}

std::string SweepCase::delays() const {
  return fmt::format("{}", fmt::join(design.delays(), " "));
}

std::string SweepCase::label() const {
  return windowed ? fmt::format("delay {}, window {}", delay(), window()) : "delays " + delays();
}

std::vector<SweepCase> sweep_cases(const SweepConfig& sweep, const Design& own, Index available,
                                   const std::string& where) {
  const auto sizes = sweep.components.empty() ? std::vector<Index>{available} : sweep.components;
  if (const Index most = *std::max_element(sizes.begin(), sizes.end()); most > available) {
    throw InputError(
        fmt::format("{}: the sweep wants {} components, but there are {}", where, most, available));
  }
  std::vector<SweepCase> cases;
  for (const Index components : sizes) {
    for (auto tried : designs(sweep, own, where)) {
      tried.components = components;
      cases.push_back(std::move(tried));
    }
  }
  return cases;
}

void require_reach(const std::vector<SweepCase>& cases, const std::vector<encoding::RunExtent>& runs,
                   const std::string& where) {
  for (const auto& tried : cases) encoding::require_reach(tried.design, runs, where + ", " + tried.label());
}

Design widest_design(const std::vector<SweepCase>& cases) {
  std::vector<Index> delays;
  for (const auto& tried : cases)
    delays.insert(delays.end(), tried.design.delays().begin(), tried.design.delays().end());
  std::sort(delays.begin(), delays.end());
  delays.erase(std::unique(delays.begin(), delays.end()), delays.end());
  return Design::fir(delays, cases.front().design.edge());
}

Index most_components(const std::vector<SweepCase>& cases) {
  Index most = 0;
  for (const auto& tried : cases) most = std::max(most, tried.components);
  return most;
}

std::vector<encoding::SweepPoint> sweep_points(const std::vector<SweepCase>& cases) {
  std::vector<encoding::SweepPoint> points;
  for (const auto& tried : cases) points.push_back({tried.components, tried.design});
  return points;
}

void warn_of_memory(const std::string& of, double bytes, double allowed) {
  if (allowed <= 0 || bytes <= allowed) return;
  log::warn(
      "{}: the sweep may take {} a rank, more than the {} there are: fewer ranks with more threads, fewer "
      "folds, or fewer components take less",
      of, format_bytes(bytes), format_bytes(allowed));
}

std::vector<SweepShare> sweep_share(const std::vector<const std::vector<SweepCase>*>& units, SweepPart part) {
  const auto count = static_cast<Index>(units.size());
  std::vector<SweepShare> share;
  if (part.parts <= count) {
    const Range mine = partition(count, part.parts, part.part - 1);
    for (Index unit = mine.begin; unit < mine.end; ++unit) {
      SweepShare whole{static_cast<std::size_t>(unit), {}};
      whole.cases.resize(units[whole.unit]->size());
      std::iota(whole.cases.begin(), whole.cases.end(), 0);
      share.push_back(std::move(whole));
    }
    return share;
  }
  for (Index unit = 0; unit < count; ++unit) {
    const Range parts = partition(part.parts, count, unit);
    if (part.part - 1 < parts.begin || part.part - 1 >= parts.end) continue;
    const auto i = static_cast<std::size_t>(unit);
    auto cases = split(*units[i], parts.size())[static_cast<std::size_t>(part.part - 1 - parts.begin)];
    if (!cases.empty()) share.push_back({i, std::move(cases)});
  }
  return share;
}

SweepGroups sweep_groups(const SweepFolds& folds, const std::vector<std::string>& runs,
                         const std::vector<std::string>& seasons) {
  using By = SweepFolds::By;
  SweepGroups groups;
  groups.of = number(seasons, groups.count);
  groups.by = "season";
  if (folds.by == By::season || (folds.by == By::automatic && groups.count > 1)) {
    if (groups.count > 1) return groups;
    throw InputError(
        "folds = \"season\" leaves one season or movie out, but the runs to fit are of one only");
  }
  Index items = 0;
  const auto run_of = number(runs, items);
  if (items < folds.count) {
    throw InputError(fmt::format("folds = {}: there are only {} runs to make folds of", folds.count, items));
  }
  for (Index fold = 0; fold < folds.count; ++fold) {
    const Range inside = partition(items, folds.count, fold);
    for (std::size_t block = 0; block < run_of.size(); ++block) {
      if (run_of[block] >= inside.begin && run_of[block] < inside.end) groups.of[block] = fold;
    }
  }
  groups.count = folds.count;
  groups.by = "runs";
  return groups;
}

}  // namespace cinecortex::stages
