#include "cinecortex/encoding/joined_source.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "cinecortex/core/error.hpp"
#include "source_views.hpp"

namespace cinecortex::encoding {
JoinedSource::JoinedSource(std::vector<const BlockSource*> parts) : parts_(std::move(parts)) {
  if (parts_.empty()) throw Error("internal: no sources to join");
  const BlockSource& first = *parts_.front();
  for (const auto* part : parts_) {
    if (part->blocks() != first.blocks()) {
      throw InputError(fmt::format("sources of {} and of {} blocks cannot stand side by side", first.blocks(),
                                   part->blocks()));
    }
    for (Index block = 0; block < first.blocks(); ++block) {
      if (part->rows(block) == first.rows(block)) continue;
      throw InputError(fmt::format("{}: {} rows cannot stand beside {} rows", first.name(block),
                                   first.rows(block), part->rows(block)));
    }
    const Index begin = parts_columns_.empty() ? 0 : parts_columns_.back().end;
    parts_columns_.push_back({begin, begin + part->columns()});
  }
}

bool JoinedSource::single_precision() const {
  return std::all_of(parts_.begin(), parts_.end(), [](const auto* part) { return part->single_precision(); });
}

template <class Scalar>
Matrix<Scalar> JoinedSource::read_joined(Index block, Range columns) const {
  Matrix<Scalar> joined(rows(block), columns.size());
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    const Range there = parts_columns_[i];
    const Range both{std::max(columns.begin, there.begin), std::min(columns.end, there.end)};
    if (both.empty()) continue;
    const Range inside{both.begin - there.begin, both.end - there.begin};
    auto to = joined.middleCols(both.begin - columns.begin, both.size());
    if constexpr (std::is_same_v<Scalar, float>) {
      to = parts_[i]->read_single(block, inside);
    } else {
      to = parts_[i]->read(block, inside);
    }
  }
  return joined;
}

MatrixD JoinedSource::read(Index block, Range columns) const {
  return read_joined<double>(block, columns);
}

MatrixF JoinedSource::read_single(Index block, Range columns) const {
  return read_joined<float>(block, columns);
}

std::vector<Statistics> group_statistics(const BlockSource& x, const BlockSource& y,
                                         const std::vector<Index>& group_of, Index groups,
                                         const parallel::Communicator& comm) {
  const Unlagged rows(x);
  std::vector<Statistics> result;
  for (auto& sums : LaggedStatistics::accumulate(rows, y, group_of, groups, comm)) {
    result.push_back(std::move(sums).take(rows.design()));
  }
  return result;
}

}  // namespace cinecortex::encoding
