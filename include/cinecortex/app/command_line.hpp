#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "cinecortex/app/settings.hpp"
#include "cinecortex/core/log.hpp"
#include "cinecortex/stages/matrices.hpp"
#include "cinecortex/stages/synth.hpp"

namespace cinecortex::app {

struct ShowHelp {
  std::string text;
};
struct ShowVersion {};

/// A verb on an experiment file.
struct ExperimentJob {
  std::filesystem::path file;
  std::vector<Setting> settings;
  stages::SweepPart sweep_part;  ///< sweep only
};

using Job = std::variant<ShowHelp, ShowVersion, ExperimentJob, stages::matrices::PcaConfig,
                         stages::matrices::RidgeConfig, stages::matrices::StackConfig,
                         stages::matrices::PredictConfig, stages::matrices::ScoreConfig,
                         stages::matrices::SweepConfig, stages::matrices::ExtractConfig, stages::SynthConfig>;

/// Everything the command line says.
struct Command {
  std::string verb;  ///< "" for --help and --version alone
  Job job;
  std::optional<int> threads;                ///< a rank; none: cores of the node ÷ ranks on it
  std::optional<std::int64_t> memory_bytes;  ///< all ranks of a node together; none: most of what is free
  std::string device = "auto";
  log::Level log_level = log::Level::info;
  bool json = false;
  bool dry_run = false;
  bool force = false;
};

/// @param arguments  without the program's name
/// @throws InputError: unknown verb or option (with a suggestion), a wrong value, both or neither of an
/// experiment file and matrices.   Collective: no.
Command parse_command_line(const std::vector<std::string>& arguments);

}  // namespace cinecortex::app
