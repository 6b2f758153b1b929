#include "extraction_time.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "cinecortex/io/hdf5.hpp"

namespace cinecortex::stages {
namespace {

using Paces = std::vector<std::optional<ExtractionPace>>;  ///< of each group

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// Of a group's files that were made from the same movies, settings and weights as the missing ones would be.
std::optional<ExtractionPace> recorded(const ExtractionPlan& plan, std::size_t group,
                                       const Outputs& outputs) {
  std::vector<double> computing, reading;
  const auto& spaces = plan.groups[group].outputs;
  for (const auto& work : plan.work) {
    const auto& part = work.groups[group];
    for (std::size_t i = 0; i < spaces.size(); ++i) {
      const auto file = outputs.features(spaces[i].space->name, work.run->id.task);
      if (part.rows == 0 || stored_digest(file) != part.digests[i]) continue;
      const io::Hdf5Reader reader(file);
      const auto computed = reader.attribute("/", computing_attribute);
      const auto read = reader.attribute("/", reading_attribute);
      if (!computed || !read) continue;
      computing.push_back(std::get<double>(*computed));
      reading.push_back(std::get<double>(*read));
    }
  }
  if (computing.empty()) return std::nullopt;
  return ExtractionPace{median(std::move(computing)), median(std::move(reading))};
}

/// Looked up by rank 0.   Collective: over comm.
Paces recorded_paces(const ExtractionPlan& plan, const Outputs& outputs, const parallel::Communicator& comm) {
  const std::string text = from_root(comm, [&] {
    nlohmann::json list = nlohmann::json::array();
    for (std::size_t group = 0; group < plan.groups.size(); ++group) {
      const auto pace = recorded(plan, group, outputs);
      list.push_back(pace ? nlohmann::json{pace->computing_s, pace->reading_s} : nlohmann::json());
    }
    return list.dump();
  });
  Paces paces;
  for (const auto& entry : nlohmann::json::parse(text)) {
    paces.push_back(entry.is_null()
                        ? std::nullopt
                        : std::optional(ExtractionPace{entry[0].get<double>(), entry[1].get<double>()}));
  }
  return paces;
}

}  // namespace

void PaceMeter::add(Index tr, ExtractionPace seconds) {
  if (chunks_++ == 1) {
    tr_ = 0;
    seconds_ = {};
  }
  tr_ += tr;
  seconds_.computing_s += seconds.computing_s;
  seconds_.reading_s += seconds.reading_s;
}

std::optional<ExtractionPace> PaceMeter::a_tr() const {
  if (tr_ == 0) return std::nullopt;
  const auto tr = static_cast<double>(tr_);
  return ExtractionPace{seconds_.computing_s / tr, seconds_.reading_s / tr};
}

ExtractionTime extraction_time(const ExtractionPlan& plan, const Outputs& outputs, bool ahead,
                               const parallel::Communicator& comm) {
  ExtractionTime time;
  if (plan.tasks.empty()) return time;
  const Paces paces = recorded_paces(plan, outputs, comm);
  std::set<std::string> unknown;
  for (const auto& task : plan.tasks) {
    double computing = 0, reading = 0;
    for (const auto& part : plan.work[task.work].groups) {
      const Index tr = std::min(task.rows.end, part.rows) - task.rows.begin;
      if (part.current || tr <= 0) continue;
      if (const auto& pace = paces[part.group]) {
        computing += static_cast<double>(tr) * pace->computing_s;
        reading = std::max(reading, static_cast<double>(tr) * pace->reading_s);  // once for all of them
      } else {
        for (const auto& output : plan.groups[part.group].outputs) unknown.insert(output.space->name);
      }
    }
    time.seconds += ahead ? std::max(computing, reading) : computing + reading;
  }
  time.seconds /= std::min(static_cast<double>(comm.size()), static_cast<double>(plan.tasks.size()));
  time.unknown.assign(unknown.begin(), unknown.end());
  return time;
}

}  // namespace cinecortex::stages
