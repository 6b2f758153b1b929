#include "context.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "cinecortex/core/digest.hpp"

namespace cinecortex::stages {
namespace {

std::set<std::string> fmri_files(const Context& context) {
  std::set<std::string> files;
  for (const auto* run : context.runs) {
    for (const auto& [subject, sources] : run->fmri) {
      for (const auto& source : sources) files.insert(source.file.string());
    }
  }
  return files;
}

}  // namespace

std::string from_root(const parallel::Communicator& comm, const std::function<std::string()>& fn) {
  std::string text = parallel::agree(comm, [&] { return comm.root() ? fn() : std::string(); });
  comm.broadcast(text);
  return text;
}

const dataset::Run& Context::run(const std::string& task) const {
  const auto* found = catalogue.find(task);
  if (!found) throw Error("internal: no run " + task);
  return *found;
}

std::vector<const dataset::Run*> Context::of(const std::vector<std::string>& role) const {
  std::vector<const dataset::Run*> found;
  for (const auto& task : role) found.push_back(&run(task));
  return found;
}

std::vector<const dataset::Run*> Context::with_fmri(const std::vector<std::string>& role, int subject) const {
  auto found = of(role);
  std::erase_if(found, [&](const auto* run) { return !run->fmri.contains(subject); });
  return found;
}

Context make_context(const Config& config, const parallel::Communicator& comm) {
  const auto& experiment = config.experiment;
  Context context{
      .catalogue = dataset::Catalogue::from_json(from_root(
          comm, [&] { return dataset::scan(experiment.data.root, experiment.data.subjects).to_json(); })),
      .split = {},
      .runs = {},
      .fmri_digests = {},
      .outputs = Outputs(experiment.output, experiment.features)};
  context.split = dataset::make_split(context.catalogue, experiment.split.base, experiment.split.stack,
                                      experiment.split.test, experiment.split.allow_leak);
  std::set<std::string> wanted;
  for (const auto* role : {&context.split.base, &context.split.stack, &context.split.test}) {
    wanted.insert(role->begin(), role->end());
  }
  for (const auto& run : context.catalogue.runs) {
    if (wanted.contains(run.id.task)) context.runs.push_back(&run);
  }
  const std::string digests = from_root(comm, [&] {
    nlohmann::json table = nlohmann::json::object();
    for (const auto& file : fmri_files(context)) table[file] = file_digest(file);
    return table.dump();
  });
  context.fmri_digests = nlohmann::json::parse(digests).get<std::map<std::string, std::string>>();
  return context;
}

}  // namespace cinecortex::stages
