#include "cinecortex/encoding/variance_partition.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>

#include "cinecortex/core/error.hpp"
#include "cinecortex/encoding/held_out.hpp"
#include "cinecortex/parallel/agree.hpp"
#include "columns.hpp"
#include "decompose_each.hpp"
#include "leave_out.hpp"

namespace cinecortex::encoding {
namespace {

void check(const std::vector<Statistics>& folds, const Statistics& held_out,
           const std::vector<Range>& spaces) {
  if (spaces.size() < 2) {
    throw InputError(fmt::format("{} feature space: to part variance takes at least two", spaces.size()));
  }
  const auto usable =
      std::count_if(folds.begin(), folds.end(), [](const Statistics& fold) { return fold.rows > 0; });
  if (usable < 2) {
    throw InputError(fmt::format("{} of {} folds have rows that all spaces share; at least 2 are needed",
                                 usable, folds.size()));
  }
  if (held_out.rows < 2) {
    throw InputError(
        fmt::format("{} held-out rows that all spaces share; at least 2 are needed", held_out.rows));
  }
  Index end = 0;
  for (const Range columns : spaces) {
    if (columns.begin != end || columns.empty())
      throw Error("internal: spaces whose columns are not side by side");
    end = columns.end;
  }
  if (end != held_out.columns()) throw Error("internal: spaces of other columns than the statistics");
}

void rescale(Statistics& s, const VectorD& factors) {
  s.shift_x.array() *= factors.array();
  s.sum_x.array() *= factors.array();
  s.gram = factors.asDiagonal() * s.gram * factors.asDiagonal();
  s.cross = factors.asDiagonal() * s.cross;
}

/// For every column its space's factor.
VectorD balancing_factors(const Statistics& total, const std::vector<Range>& spaces) {
  const auto n = static_cast<double>(total.rows);
  const VectorD variances = total.gram.diagonal() / n - (total.sum_x / n).cwiseAbs2();
  const double share = static_cast<double>(variances.size()) / static_cast<double>(spaces.size());
  VectorD factors = VectorD::Ones(variances.size());
  for (const Range columns : spaces) {
    const double variance = variances.segment(columns.begin, columns.size()).sum();
    if (variance > 0) factors.segment(columns.begin, columns.size()).setConstant(std::sqrt(share / variance));
  }
  return factors;
}

/// One set of spaces: its statistics, and the fits with each fold left out and, last, with none.
class SubsetFitter {
 public:
  SubsetFitter(const std::vector<Statistics>& folds, const Statistics& total, const Statistics& held_out,
               const std::vector<Index>& columns, const PartitionOptions& options,
               const parallel::Communicator& comm)
      : folds_(folds),
        total_(total),
        held_out_(held_out),
        columns_(columns),
        options_(options),
        comm_(comm) {}

  /// alpha, r2 and r.   Collective: over comm.
  SubsetFit fit() {
    constexpr Index at_once = 1;
    decompose_each(
        std::ssize(folds_) + 1, std::ssize(columns_), at_once,
        [&](Index task) { return training(static_cast<std::size_t>(task)).gram(); }, comm_,
        [&](Index first, std::vector<linalg::EigenPairs> pairs) {
          parallel::agree(comm_, [&] {
            for (std::size_t i = 0; i < pairs.size(); ++i)
              evaluate(static_cast<std::size_t>(first) + i, pairs[i]);
          });
        });
    return chosen();
  }

 private:
  CentredStatistics training(std::size_t task) const {
    const CentredStatistics all =
        task < folds_.size() ? CentredStatistics(total_, folds_[task]) : CentredStatistics(total_);
    return all.select(columns_);
  }

  void evaluate(std::size_t task, const linalg::EigenPairs& pairs) {
    const bool final = task == folds_.size();
    const CentredStatistics train = training(task);
    const CentredStatistics test = CentredStatistics(final ? held_out_ : folds_[task]).select(columns_);
    HeldOut result = encoding::held_out(RidgeAxes(train, pairs), train, test, options_.alphas);
    if (final) {
      final_ = std::move(result);
    } else if (curve_.size() == 0) {
      curve_ = std::move(result.r2);
    } else {
      curve_ += result.r2;
    }
  }

  SubsetFit chosen() const {
    const Index targets = final_.r2.cols();
    SubsetFit fit{.spaces = {}, .alpha = VectorD(targets), .r2 = VectorD(targets), .r = VectorD(targets)};
    VectorD mean = curve_.rowwise().sum();
    if (!options_.per_target) {
      comm_.sum(numbers(mean));
      comm_.broadcast(numbers(mean));
    }
    for (Index v = 0; v < targets; ++v) {
      fit.alpha[v] =
          choose_alpha(options_.per_target ? VectorD(curve_.col(v)) : mean, options_.alphas, Better::higher);
      const auto at = std::find(options_.alphas.begin(), options_.alphas.end(), fit.alpha[v]);
      const auto a = static_cast<Index>(at - options_.alphas.begin());
      fit.r2[v] = final_.r2(a, v);
      fit.r[v] = final_.r(a, v);
    }
    return fit;
  }

  const std::vector<Statistics>& folds_;
  const Statistics &total_, &held_out_;
  const std::vector<Index>& columns_;
  const PartitionOptions& options_;
  const parallel::Communicator& comm_;
  MatrixD curve_;  ///< [A, t_local] sum over folds
  HeldOut final_;
};

std::vector<Index> columns_of(const SpaceSet& set, const std::vector<Range>& spaces) {
  std::vector<Index> columns;
  for (const Index space : set) {
    const Range range = spaces[static_cast<std::size_t>(space)];
    for (Index column = range.begin; column < range.end; ++column) columns.push_back(column);
  }
  return columns;
}

SpaceSet all_but(Index spaces, const SpaceSet& left_out) {
  SpaceSet set;
  for (Index space = 0; space < spaces; ++space) {
    if (std::find(left_out.begin(), left_out.end(), space) == left_out.end()) set.push_back(space);
  }
  return set;
}

/// The parts from the sets' R². Source: inclusion–exclusion.
void part(VariancePartition& partition, Index spaces) {
  std::map<SpaceSet, const VectorD*> r2;
  for (const auto& fit : partition.fits) r2[fit.spaces] = &fit.r2;
  const VectorD& full = *r2.at(all_but(spaces, {}));
  const VectorD nothing = VectorD::Zero(full.size());
  const auto without = [&](const SpaceSet& left_out) -> const VectorD& {
    const auto set = all_but(spaces, left_out);
    return set.empty() ? nothing : *r2.at(set);
  };
  partition.unique = MatrixD(spaces, full.size());
  for (Index i = 0; i < spaces; ++i) partition.unique.row(i) = (full - without({i})).transpose();
  partition.shared = MatrixD(spaces * (spaces - 1) / 2, full.size());
  for (Index i = 0; i < spaces; ++i) {
    for (Index j = i + 1; j < spaces; ++j) {
      partition.shared.row(static_cast<Index>(partition.pairs.size())) =
          (without({i}) + without({j}) - full - without({i, j})).transpose();
      partition.pairs.emplace_back(i, j);
    }
  }
  partition.rest = nothing;
  if (spaces > 2) {
    partition.rest = full - (partition.unique.colwise().sum() + partition.shared.colwise().sum()).transpose();
  }
}

}  // namespace

std::vector<SpaceSet> partition_subsets(Index spaces) {
  std::vector<SpaceSet> subsets{all_but(spaces, {})};
  const auto add = [&](SpaceSet set) {
    if (!set.empty() && std::find(subsets.begin(), subsets.end(), set) == subsets.end()) {
      subsets.push_back(std::move(set));
    }
  };
  for (Index i = 0; i < spaces; ++i) add(all_but(spaces, {i}));
  for (Index i = 0; i < spaces; ++i) {
    for (Index j = i + 1; j < spaces; ++j) add(all_but(spaces, {i, j}));
  }
  for (Index i = 0; i < spaces; ++i) add({i});
  return subsets;
}

VariancePartition partition_variance(std::vector<Statistics> folds, Statistics held_out,
                                     const std::vector<Range>& spaces, const PartitionOptions& options,
                                     const parallel::Communicator& comm,
                                     const std::function<void(Index)>& done) {
  Statistics total;
  parallel::agree(comm, [&] {
    check(folds, held_out, spaces);
    std::erase_if(folds, [](const Statistics& fold) { return fold.rows == 0; });
    total = sum_of(folds);
    for (const auto& fold : folds) {
      if (total.rows - fold.rows < 2) {
        throw InputError(
            fmt::format("a fold leaves {} rows to fit; at least 2 are needed", total.rows - fold.rows));
      }
    }
    const VectorD factors = balancing_factors(total, spaces);
    for (auto& fold : folds) rescale(fold, factors);
    rescale(total, factors);
    rescale(held_out, factors);
  });
  VariancePartition partition{.fit_rows = total.rows, .held_out_rows = held_out.rows};
  const auto count = static_cast<Index>(spaces.size());
  for (const auto& set : partition_subsets(count)) {
    const auto columns = columns_of(set, spaces);
    SubsetFit fit = SubsetFitter(folds, total, held_out, columns, options, comm).fit();
    fit.spaces = set;
    partition.fits.push_back(std::move(fit));
    if (done) done(static_cast<Index>(partition.fits.size()));
  }
  part(partition, count);
  return partition;
}

}  // namespace cinecortex::encoding
