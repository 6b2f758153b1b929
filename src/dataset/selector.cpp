#include "cinecortex/dataset/selector.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <functional>
#include <optional>
#include <set>
#include <sstream>

#include "cinecortex/core/error.hpp"

namespace cinecortex::dataset {

namespace {

constexpr std::array collections{Collection::friends, Collection::movie10, Collection::ood};

std::vector<std::string> split_at(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  for (std::size_t end = 0; end != std::string::npos; begin = end + 1) {
    end = text.find(separator, begin);
    parts.push_back(text.substr(begin, end == std::string::npos ? end : end - begin));
  }
  return parts;
}

std::optional<Index> season_number(std::string_view text) {
  Index value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

/// Seasons "4" or "1-4".
struct Seasons {
  Index first = 0;
  Index last = 0;
};
std::optional<Seasons> parse_seasons(const std::string& item) {
  const auto ends = split_at(item, '-');
  if (ends.size() > 2) return std::nullopt;
  const auto first = season_number(ends.front());
  const auto last = season_number(ends.back());
  if (!first || !last) return std::nullopt;
  return Seasons{*first, *last};
}

/// "friends: seasons 1, 2, 3; movie10: bourne, figures; ood: chaplin"
std::string what_there_is(const Catalogue& catalogue) {
  std::string text;
  for (const Collection collection : collections) {
    std::set<Index> seasons;
    std::set<std::string> movies;
    for (const Run& run : catalogue.runs) {
      if (run.id.collection != collection) continue;
      seasons.insert(run.id.season);
      movies.insert(run.id.movie);
    }
    if (movies.empty()) continue;
    text += fmt::format("{}{}: ", text.empty() ? "" : "; ", name(collection));
    text += collection == Collection::friends ? fmt::format("seasons {}", fmt::join(seasons, ", "))
                                              : fmt::format("{}", fmt::join(movies, ", "));
  }
  return text.empty() ? "there are no runs at all" : "there is " + text;
}

/// Marks the runs of one selector.
class Selection {
 public:
  Selection(const Catalogue& catalogue, const std::string& key)
      : catalogue_(catalogue), key_(key), chosen_(catalogue.runs.size(), false) {}

  void add_word(const std::string& word);
  std::vector<std::string> tasks() const {
    std::vector<std::string> result;
    for (std::size_t i = 0; i < chosen_.size(); ++i) {
      if (chosen_[i]) result.push_back(catalogue_.runs[i].id.task);
    }
    return result;
  }

 private:
  void add_item(const std::string& item, std::optional<Collection> collection);
  void add_seasons(Seasons seasons);
  bool mark(std::optional<Collection> collection, const std::function<bool(const RunId&)>& wanted);
  std::string suggestion(const std::string& item, std::optional<Collection> collection) const;
  [[noreturn]] void refuse(const std::string& why) const {
    throw InputError(fmt::format("{}: {}", key_, why));
  }

  const Catalogue& catalogue_;
  const std::string& key_;
  std::string word_;
  std::vector<bool> chosen_;
};

bool Selection::mark(std::optional<Collection> collection, const std::function<bool(const RunId&)>& wanted) {
  bool any = false;
  for (std::size_t i = 0; i < chosen_.size(); ++i) {
    const RunId& id = catalogue_.runs[i].id;
    if ((collection && id.collection != *collection) || !wanted(id)) continue;
    chosen_[i] = true;
    any = true;
  }
  return any;
}

void Selection::add_word(const std::string& word) {
  word_ = word;
  std::optional<Collection> collection;
  std::string items = word;
  if (const std::size_t colon = word.find(':'); colon != std::string::npos) {
    const std::string given = word.substr(0, colon);
    items = word.substr(colon + 1);
    std::vector<std::string> names;
    for (const Collection candidate : collections) {
      names.emplace_back(name(candidate));
      if (names.back() == given) collection = candidate;
    }
    if (!collection) {
      const std::string close = closest_name(given, names);
      refuse(fmt::format("'{}' in '{}' is no collection; allowed are {}{}", given, word,
                         fmt::join(names, ", "),
                         close.empty() ? "" : fmt::format(" (did you mean {}?)", close)));
    }
  }
  for (const std::string& item : split_at(items, ',')) add_item(item, collection);
}

void Selection::add_item(const std::string& item, std::optional<Collection> collection) {
  if (item.empty()) {
    refuse(fmt::format(
        "'{}' cannot be read: a word is collection:item,item… (no spaces), an item a season, a range of "
        "seasons, a movie, a task or *",
        word_));
  }
  if (const auto seasons = parse_seasons(item)) {
    if (collection != Collection::friends) {
      refuse(fmt::format("'{}' in '{}' is a season, which only friends has: friends:{}", item, word_, item));
    }
    add_seasons(*seasons);
    return;
  }
  const bool found =
      mark(collection, [&](const RunId& id) { return item == "*" || id.task == item || id.movie == item; });
  if (!found) {
    refuse(fmt::format("'{}' matches no run{}; {}", word_, suggestion(item, collection),
                       what_there_is(catalogue_)));
  }
}

void Selection::add_seasons(Seasons seasons) {
  if (seasons.first > seasons.last) {
    refuse(fmt::format("'{}' in '{}' counts down; write the lower season first",
                       fmt::format("{}-{}", seasons.first, seasons.last), word_));
  }
  std::set<Index> there;
  for (const Run& run : catalogue_.runs) {
    if (run.id.collection == Collection::friends) there.insert(run.id.season);
  }
  for (Index season = seasons.first; season <= seasons.last; ++season) {
    if (!there.contains(season)) {
      refuse(fmt::format("'{}' matches no run for season {}; {}", word_, season, what_there_is(catalogue_)));
    }
  }
  mark(Collection::friends,
       [&](const RunId& id) { return id.season >= seasons.first && id.season <= seasons.last; });
}

std::string Selection::suggestion(const std::string& item, std::optional<Collection> collection) const {
  std::set<std::string> names;
  for (const Collection candidate : collections) names.insert(std::string(name(candidate)));
  if (!collection && names.contains(item)) return fmt::format(" (did you mean {}:*?)", item);
  std::set<std::string> candidates;
  for (const Run& run : catalogue_.runs) {
    // Where the item exists in another collection, say so.
    if (run.id.movie == item || run.id.task == item) {
      return fmt::format(" (did you mean {}:{}?)", name(run.id.collection), item);
    }
    if (collection && run.id.collection != *collection) continue;
    candidates.insert(run.id.movie);
    candidates.insert(run.id.task);
  }
  const std::string close = closest_name(item, candidates);
  return close.empty() ? "" : fmt::format(" (did you mean {}?)", close);
}

void refuse_overlap(const std::vector<std::string>& a, const char* name_a, const std::vector<std::string>& b,
                    const char* name_b) {
  constexpr std::size_t named = 5;
  const std::set<std::string> in_b(b.begin(), b.end());
  std::vector<std::string> both;
  std::copy_if(a.begin(), a.end(), std::back_inserter(both),
               [&](const auto& task) { return in_b.contains(task); });
  if (both.empty()) return;
  const std::size_t count = both.size();
  both.resize(std::min(count, named));
  throw InputError(
      fmt::format("split: {}{} {} in {} and {}, which would leak; change the selectors, or set "
                  "split.allow_leak = true if it is meant",
                  fmt::join(both, ", "), count > named ? fmt::format(" and {} more runs", count - named) : "",
                  count == 1 ? "is" : "are", name_a, name_b));
}

}  // namespace

std::vector<std::string> select(const Catalogue& catalogue, const std::string& selector,
                                const std::string& key) {
  Selection selection(catalogue, key);
  std::istringstream words(selector);
  for (std::string word; words >> word;) selection.add_word(word);
  return selection.tasks();
}

Split make_split(const Catalogue& catalogue, const std::string& base, const std::string& stack,
                 const std::string& test, bool allow_leak) {
  Split split{select(catalogue, base, "split.base"), select(catalogue, stack, "split.stack"),
              select(catalogue, test, "split.test")};
  if (!allow_leak) {
    refuse_overlap(split.base, "base", split.stack, "stack");
    refuse_overlap(split.test, "test", split.base, "base");
    refuse_overlap(split.test, "test", split.stack, "stack");
  }
  return split;
}

}  // namespace cinecortex::dataset
