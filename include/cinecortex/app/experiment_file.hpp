#pragma once
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "cinecortex/app/settings.hpp"
#include "cinecortex/stages/experiment.hpp"

namespace cinecortex::app {

/// Reads and checks an experiment file. Every key has a default but data.root and at least one [[space]] with
/// its name and model. Paths in it are relative to the current folder, as on any command line.
/// @param settings  replace keys of the file; a space is addressed by its name: space.whisper.delay
/// @throws InputError naming file and line (or the setting), key, value and what is allowed.   Collective:
/// no.
stages::Experiment read_experiment(const std::filesystem::path& file,
                                   const std::vector<Setting>& settings = {});

/// The same of a text, e.g. of Experiment::resolved, which gives the same experiment again.
/// @param place  the name of the text in messages
stages::Experiment parse_experiment(std::string_view text, const std::string& place,
                                    const std::vector<Setting>& settings = {});

}  // namespace cinecortex::app
