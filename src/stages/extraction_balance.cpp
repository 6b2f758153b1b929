#include "extraction_balance.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "cinecortex/core/log.hpp"
#include "cinecortex/core/progress.hpp"

namespace cinecortex::stages {
namespace {

constexpr double slow_rank = 2, slow_chunk = 3, worth_a_word_s = 10;
constexpr std::size_t chunks_shown = 5;

double tr_of(const ExtractedChunk& chunk) {
  return static_cast<double>(chunk.rows.size());
}

/// Median of seconds a TR.
double median_pace(const std::vector<ExtractedChunk>& chunks) {
  std::vector<double> paces;
  for (const auto& chunk : chunks) paces.push_back(chunk.seconds / tr_of(chunk));
  if (paces.empty()) return 0;
  const auto middle = paces.begin() + static_cast<std::ptrdiff_t>(paces.size() / 2);
  std::nth_element(paces.begin(), middle, paces.end());
  return *middle;
}

std::vector<ExtractedChunk> slowest(std::vector<ExtractedChunk> chunks) {
  std::stable_sort(chunks.begin(), chunks.end(),
                   [](const auto& a, const auto& b) { return a.seconds > b.seconds; });
  chunks.resize(std::min(chunks.size(), chunks_shown));
  return chunks;
}

/// Without each rank's first chunk, in which networks are loaded.
std::vector<ExtractedChunk> warm(const ExtractionBalance& balance) {
  std::vector<ExtractedChunk> chunks;
  int rank = -1;
  for (const auto& chunk : balance.chunks) {
    if (chunk.rank == rank) chunks.push_back(chunk);
    rank = chunk.rank;
  }
  return chunks;
}

/// Seconds a TR of the ranks that are slow as a whole.
std::map<std::size_t, double> slow_ranks(const ExtractionBalance& balance,
                                         const std::vector<ExtractedChunk>& chunks, double usual) {
  std::map<std::size_t, double> found;
  for (std::size_t r = 0; r < balance.ranks.size(); ++r) {
    double seconds = 0, tr = 0;
    for (const auto& chunk : chunks) {
      if (static_cast<std::size_t>(chunk.rank) != r) continue;
      seconds += chunk.seconds;
      tr += tr_of(chunk);
    }
    const bool several = balance.ranks[r].chunks > 2;  // one chunk may be slow by itself
    if (several && seconds >= slow_rank * usual * tr && seconds - usual * tr >= worth_a_word_s) {
      found[r] = seconds / tr;
    }
  }
  return found;
}

std::string place(const ExtractedChunk& chunk) {
  return fmt::format("{}, TRs {} to {}", chunk.run, chunk.rows.begin, chunk.rows.end);
}

std::string name(const ExtractionBalance& balance, std::size_t rank) {
  return fmt::format("rank {} ({})", rank, balance.ranks[rank].node);
}

std::string name_of(const ExtractionBalance& balance, const ExtractedChunk& chunk) {
  return name(balance, static_cast<std::size_t>(chunk.rank));
}

double busy_share(const ExtractionBalance& balance) {
  double busy = 0, all = 0;
  for (const auto& rank : balance.ranks) {
    busy += rank.busy_s;
    all += rank.busy_s + rank.idle_s;
  }
  return all > 0 ? busy / all : 1;
}

nlohmann::json mine_as_json(const parallel::QueueReport& report, const std::vector<ExtractedChunk>& mine) {
  nlohmann::json chunks = nlohmann::json::array();
  for (const auto& chunk : mine) {
    chunks.push_back({chunk.run, chunk.rows.begin, chunk.rows.end, chunk.seconds});
  }
  return {{"node", parallel::node_name()},
          {"busy_s", report.busy_s},
          {"idle_s", report.idle_s},
          {"chunks", chunks}};
}

}  // namespace

ExtractionBalance gather_balance(const parallel::QueueReport& report, const std::vector<ExtractedChunk>& mine,
                                 const parallel::Communicator& comm) {
  ExtractionBalance balance;
  for (const auto& text : comm.gather(mine_as_json(report, mine).dump())) {
    const auto json = nlohmann::json::parse(text);
    ExtractionBalance::Rank rank{.node = json["node"].get<std::string>(),
                                 .busy_s = json["busy_s"].get<double>(),
                                 .idle_s = json["idle_s"].get<double>()};
    for (const auto& chunk : json["chunks"]) {
      balance.chunks.push_back({static_cast<int>(balance.ranks.size()),
                                chunk[0].get<std::string>(),
                                {chunk[1].get<Index>(), chunk[2].get<Index>()},
                                chunk[3].get<double>()});
      rank.tr += balance.chunks.back().rows.size();
      ++rank.chunks;
    }
    balance.ranks.push_back(std::move(rank));
  }
  return balance;
}

std::vector<std::string> stragglers(const ExtractionBalance& balance) {
  std::vector<std::string> found;
  const auto chunks = warm(balance);
  const double usual = median_pace(chunks);
  const auto ranks = slow_ranks(balance, chunks, usual);
  for (const auto& [rank, pace] : ranks) {
    found.push_back(
        fmt::format("{} takes {:.1f} times as long for a TR as the median, {:.3g} s instead of {:.3g} s",
                    name(balance, rank), pace / usual, pace, usual));
  }
  for (const auto& chunk : slowest(chunks)) {
    const double expected = usual * tr_of(chunk);
    if (ranks.contains(static_cast<std::size_t>(chunk.rank)) || chunk.seconds < slow_chunk * expected ||
        chunk.seconds - expected < worth_a_word_s) {
      continue;
    }
    found.push_back(fmt::format("{} took {} on {}, {:.1f} times the median", place(chunk),
                                format_duration(chunk.seconds), name_of(balance, chunk),
                                chunk.seconds / expected));
  }
  return found;
}

std::string describe(const ExtractionBalance& balance) {
  if (balance.ranks.size() < 2 || balance.chunks.empty()) return "";
  const auto waited = std::max_element(balance.ranks.begin(), balance.ranks.end(),
                                       [](const auto& a, const auto& b) { return a.idle_s < b.idle_s; });
  const auto chunk = slowest(balance.chunks).front();
  return fmt::format(
      "extract: {} ranks were busy {:.0f}% of the time; {} waited longest, {}; slowest chunk: {}, {} on {}",
      balance.ranks.size(), 100 * busy_share(balance),
      name(balance, static_cast<std::size_t>(waited - balance.ranks.begin())),
      format_duration(waited->idle_s), place(chunk), format_duration(chunk.seconds), name_of(balance, chunk));
}

nlohmann::json to_json(const ExtractionBalance& balance) {
  nlohmann::json ranks = nlohmann::json::array(), chunks = nlohmann::json::array();
  for (const auto& rank : balance.ranks) {
    ranks.push_back({{"node", rank.node},
                     {"chunks", rank.chunks},
                     {"tr", rank.tr},
                     {"busy_s", rank.busy_s},
                     {"idle_s", rank.idle_s}});
  }
  for (const auto& chunk : slowest(balance.chunks)) {
    chunks.push_back({{"run", chunk.run},
                      {"tr", {chunk.rows.begin, chunk.rows.end}},
                      {"rank", chunk.rank},
                      {"seconds", chunk.seconds}});
  }
  return {{"busy_share", busy_share(balance)},
          {"ranks", ranks},
          {"slowest_chunks", chunks},
          {"stragglers", stragglers(balance)}};
}

void log_balance(const ExtractionBalance& balance) {
  if (const auto line = describe(balance); !line.empty()) log::info("{}", line);
  for (const auto& sentence : stragglers(balance)) log::warn("extract: {}", sentence);
  for (std::size_t r = 0; r < balance.ranks.size(); ++r) {
    const auto& rank = balance.ranks[r];
    log::debug("  {}: {} chunks, {} TRs, busy {}, waiting {}", name(balance, r), rank.chunks, rank.tr,
               format_duration(rank.busy_s), format_duration(rank.idle_s));
  }
}

}  // namespace cinecortex::stages
