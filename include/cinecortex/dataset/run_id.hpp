#pragma once
#include <compare>
#include <optional>
#include <string>
#include <string_view>

#include "cinecortex/core/types.hpp"

namespace cinecortex::dataset {

enum class Collection { friends, movie10, ood };
std::string_view name(Collection collection);

/// A run: one stimulus shown in one scan. Its task name is unique in the data set and used in every output.
struct RunId {
  Collection collection = Collection::friends;
  std::string movie;  ///< friends, bourne, chaplin, …
  Index season = 0;   ///< friends only
  std::string task;   ///< s01e01a, bourne01, chaplin1

  std::string qualified() const;  ///< friends:s01e01a, movie10:bourne01, ood:chaplin1
  /// Movie or season: what a leave-one-season-out fold and a score per movie group by: friends-s1, bourne, …
  std::string group() const;
  auto operator<=>(const RunId& other) const { return qualified() <=> other.qualified(); }
  bool operator==(const RunId& other) const { return qualified() == other.qualified(); }
};

/// From a task name: s01e01a is Friends; letters then digits (bourne01, chaplin1) a movie of `collection`.
std::optional<RunId> parse_task(std::string_view task, Collection collection);

}  // namespace cinecortex::dataset
