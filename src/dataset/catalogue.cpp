#include "cinecortex/dataset/catalogue.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace cinecortex::dataset {

namespace {

using nlohmann::json;

json to_json(const FmriSource& source) {
  return {{"file", source.file.string()},
          {"dataset", source.dataset},
          {"rows", source.rows},
          {"targets", source.targets}};
}

FmriSource source_from(const json& value) {
  return {value.at("file").get<std::string>(), value.at("dataset"), value.at("rows"), value.at("targets")};
}

/// JSON has text keys only: maps by subject become lists of pairs.
template <class Value, class Convert>
json pairs(const std::map<int, Value>& map, const Convert& convert) {
  json list = json::array();
  for (const auto& [subject, value] : map) list.push_back(json::array({subject, convert(value)}));
  return list;
}

template <class Value, class Convert>
std::map<int, Value> map_from(const json& list, const Convert& convert) {
  std::map<int, Value> map;
  for (const json& pair : list) map.emplace(pair.at(0).get<int>(), convert(pair.at(1)));
  return map;
}

json same(Index value) {
  return value;
}
json path_text(const std::filesystem::path& path) {
  return path.string();
}
Index index_from(const json& value) {
  return value.get<Index>();
}
std::filesystem::path path_from(const json& value) {
  return value.get<std::string>();
}

json to_json(const Run& run) {
  const auto sources = [](const std::vector<FmriSource>& list) {
    json result = json::array();
    for (const FmriSource& source : list) result.push_back(to_json(source));
    return result;
  };
  return {{"collection", static_cast<int>(run.id.collection)},
          {"movie_name", run.id.movie},
          {"season", run.id.season},
          {"task", run.id.task},
          {"movie", run.movie.string()},
          {"transcript", run.transcript.string()},
          {"fmri", pairs(run.fmri, sources)},
          {"target_samples", pairs(run.target_samples, same)}};
}

Run run_from(const json& value) {
  Run run;
  run.id = {static_cast<Collection>(value.at("collection").get<int>()), value.at("movie_name"),
            value.at("season"), value.at("task")};
  run.movie = path_from(value.at("movie"));
  run.transcript = path_from(value.at("transcript"));
  run.fmri = map_from<std::vector<FmriSource>>(value.at("fmri"), [](const json& list) {
    std::vector<FmriSource> sources;
    for (const json& source : list) sources.push_back(source_from(source));
    return sources;
  });
  run.target_samples = map_from<Index>(value.at("target_samples"), index_from);
  return run;
}

}  // namespace

Index Run::rows(int subject) const {
  if (const auto withheld = target_samples.find(subject); withheld != target_samples.end())
    return withheld->second;
  const auto shown = fmri.find(subject);
  if (shown == fmri.end()) return 0;
  Index longest = 0;
  for (const FmriSource& repeat : shown->second) longest = std::max(longest, repeat.rows);
  return longest;
}

const Run* Catalogue::find(std::string_view task) const {
  const auto found =
      std::find_if(runs.begin(), runs.end(), [&](const Run& run) { return run.id.task == task; });
  return found == runs.end() ? nullptr : &*found;
}

std::string Catalogue::to_json() const {
  json list = json::array();
  for (const Run& run : runs) list.push_back(dataset::to_json(run));
  return json{{"root", root.string()},
              {"subjects", subjects},
              {"targets", pairs(targets, same)},
              {"atlas", pairs(atlas, path_text)},
              {"runs", list}}
      .dump();
}

Catalogue Catalogue::from_json(const std::string& text) {
  const json value = json::parse(text);
  Catalogue catalogue;
  catalogue.root = path_from(value.at("root"));
  catalogue.subjects = value.at("subjects").get<std::vector<int>>();
  catalogue.targets = map_from<Index>(value.at("targets"), index_from);
  catalogue.atlas = map_from<std::filesystem::path>(value.at("atlas"), path_from);
  for (const json& run : value.at("runs")) catalogue.runs.push_back(run_from(run));
  return catalogue;
}

}  // namespace cinecortex::dataset
