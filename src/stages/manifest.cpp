#include "manifest.hpp"

#include <fstream>

#include "cinecortex/core/clock.hpp"
#include "cinecortex/io/text_file.hpp"
#include "outputs.hpp"

namespace cinecortex::stages {
namespace {

double bytes_under(const std::filesystem::path& path) {
  std::error_code ignored;  // sizes are a courtesy: a file that vanishes meanwhile counts as empty
  if (std::filesystem::is_regular_file(path, ignored)) {
    return static_cast<double>(std::filesystem::file_size(path, ignored));
  }
  double bytes = 0;
  for (std::filesystem::recursive_directory_iterator it(path, ignored), end; it != end;
       it.increment(ignored)) {
    if (it->is_regular_file(ignored)) bytes += static_cast<double>(it->file_size(ignored));
  }
  return bytes;
}

nlohmann::json read_stages(const std::filesystem::path& file) {
  std::ifstream in(file);
  const auto json = nlohmann::json::parse(in, nullptr, false);
  return json.is_object() && json.contains("stages") ? json["stages"] : nlohmann::json::object();
}

}  // namespace

void update_manifest(const Config& config, const Summary& summary, const parallel::Communicator& comm) {
  parallel::agree(comm, [&] {
    if (!comm.root()) return;
    const Outputs outputs(config.experiment.output, config.experiment.features);
    auto stages = read_stages(outputs.manifest());
    double bytes = 0;
    for (const auto& output : summary.outputs) bytes += bytes_under(output);
    // A run that found everything done must not hide how long the work took when it was done.
    if (summary.done > 0 || !stages.contains(summary.stage)) {
      stages[summary.stage] = to_json(summary);
      stages[summary.stage]["finished"] = utc_now();
      stages[summary.stage]["ranks"] = comm.size();
      stages[summary.stage]["threads"] = config.runtime.threads;
      stages[summary.stage]["device"] = config.runtime.device;
    }
    stages[summary.stage]["bytes"] = bytes;
    const nlohmann::json manifest = {{"name", config.experiment.name},
                                     {"program", nlohmann::json::parse(config.runtime.program)},
                                     {"experiment", config.experiment.resolved},
                                     {"stages", stages}};
    io::write_text(outputs.manifest(), manifest.dump(2) + '\n');
  });
}

}  // namespace cinecortex::stages
