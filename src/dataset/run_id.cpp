#include "cinecortex/dataset/run_id.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace cinecortex::dataset {

namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

Index number(std::string_view digits) {
  Index value = 0;
  for (const char digit : digits) value = value * 10 + (digit - '0');
  return value;
}

/// s01e01a: season, episode and its half (or quarter).
std::optional<RunId> parse_friends(std::string_view task) {
  const bool fits = task.size() == 7 && task[0] == 's' && is_digit(task[1]) && is_digit(task[2]) &&
                    task[3] == 'e' && is_digit(task[4]) && is_digit(task[5]) && is_letter(task[6]);
  if (!fits) return std::nullopt;
  return RunId{Collection::friends, "friends", number(task.substr(1, 2)), std::string(task)};
}

}  // namespace

std::string_view name(Collection collection) {
  switch (collection) {
    case Collection::friends:
      return "friends";
    case Collection::movie10:
      return "movie10";
    case Collection::ood:
      return "ood";
  }
  throw Error("internal: unknown collection");
}

std::string RunId::qualified() const {
  return fmt::format("{}:{}", name(collection), task);
}

std::string RunId::group() const {
  return collection == Collection::friends ? fmt::format("friends-s{}", season) : movie;
}

std::optional<RunId> parse_task(std::string_view task, Collection collection) {
  if (auto friends = parse_friends(task)) return friends;
  if (collection == Collection::friends) return std::nullopt;
  const auto digits = std::find_if_not(task.begin(), task.end(), is_letter);
  const bool fits =
      digits != task.begin() && digits != task.end() && std::all_of(digits, task.end(), is_digit);
  if (!fits) return std::nullopt;
  return RunId{collection, std::string(task.begin(), digits), 0, std::string(task)};
}

}  // namespace cinecortex::dataset
