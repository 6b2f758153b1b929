#include "settings.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <system_error>

#include "cinecortex/core/digest.hpp"
#include "cinecortex/core/error.hpp"
#include "stimulus.hpp"

namespace cinecortex::stages::synthetic {
namespace {

constexpr const char* settings_file = "synth.json";
constexpr int format_version = 1;  ///< raise it when the same settings give other data

nlohmann::json to_json(const SynthConfig& config) {
  return {{"synth_format", format_version},
          {"seed", config.seed},
          {"subjects", config.subjects},
          {"parcels", config.parcels},
          {"run_tr", config.run_tr},
          {"runs_per_season", config.runs_per_season},
          {"runs_per_movie", config.runs_per_movie},
          {"width", config.width},
          {"height", config.height},
          {"frame_rate_hz", config.frame_rate_hz},
          {"tr_s", config.tr_s},
          {"signal_to_noise", config.signal_to_noise}};
}

/// The first setting in which a finished data set differs from what is asked for; "" if none.
std::string difference(const nlohmann::json& there, const nlohmann::json& wanted) {
  for (const auto& [key, value] : wanted.items()) {
    if (!there.contains(key)) return fmt::format("no \"{}\"", key);
    if (there[key] != value) return fmt::format("{} = {}, not {}", key, there[key].dump(), value.dump());
  }
  return "";
}

void accept(const std::filesystem::path& file, const nlohmann::json& wanted) {
  const auto there = nlohmann::json::parse(std::ifstream(file), nullptr, false);
  if (!there.is_object() || !there.contains("settings") || !there["settings"].is_object()) {
    throw InputError(
        fmt::format("{}: not the settings of a made-up data set; choose another folder", file.string()));
  }
  const std::string differs = difference(there["settings"], wanted);
  if (differs.empty()) return;
  throw InputError(fmt::format(
      "{}: the data set in this folder has {}; choose another folder, give the same settings, or delete it",
      file.string(), differs));
}

void write_settings(const std::filesystem::path& file, const nlohmann::json& settings) {
  const nlohmann::json content{{"description", "a made-up data set of cinecortex synth"},
                               {"settings", settings},
                               {"digest", Digest().add(settings.dump()).hex()}};
  const std::filesystem::path partial = file.string() + ".partial";
  std::ofstream out(partial);
  out << content.dump(2) << '\n';
  out.close();
  std::error_code error;
  if (out) std::filesystem::rename(partial, file, error);
  if (!out || error) {
    throw InputError(
        fmt::format("{}: cannot be written; is the folder writable, and the disk not full?", file.string()));
  }
}

template <class Number>
void check_range(const char* name, Number value, Number least, Number most) {
  if (!(value >= least && value <= most)) {
    throw InputError(
        fmt::format("synth: {} is {}, but must lie between {} and {}", name, value, least, most));
  }
}

}  // namespace

void check(const SynthConfig& config) {
  if (config.root.empty()) throw InputError("synth: no folder was given for the data set");
  if (config.subjects.empty()) throw InputError("synth: no subjects; give some such as 1,2,3,5");
  for (const int subject : config.subjects) check_range("a subject's number", subject, 1, 99);
  if (std::set<int>(config.subjects.begin(), config.subjects.end()).size() != config.subjects.size()) {
    throw InputError(fmt::format("synth: a subject is named twice: {}", fmt::join(config.subjects, ",")));
  }
  check_range<Index>("parcels", config.parcels, 4, 100000);
  check_range<Index>("run_tr", config.run_tr, 20, 100000);
  check_range<Index>("runs_per_season", config.runs_per_season, 1, 198);
  check_range<Index>("runs_per_movie", config.runs_per_movie, 1, 99);
  check_range("width", config.width, 32, 4096);
  check_range("height", config.height, 32, 4096);
  if (config.width % 2 != 0 || config.height % 2 != 0) {
    throw InputError(fmt::format("synth: the picture is {}×{} pixels, but H.264 wants even numbers",
                                 config.width, config.height));
  }
  check_range("frame_rate_hz", config.frame_rate_hz, 8.0,
              120.0);  // the fastest grating turns 3 times a second
  check_range("tr_s", config.tr_s, 0.3, 10.0);
  check_range("signal_to_noise", config.signal_to_noise, 1e-3, 1e6);
}

void claim_folder(const SynthConfig& config) {
  const auto file = config.root / settings_file;
  if (std::filesystem::exists(file)) return accept(file, to_json(config));
  make_folder(config.root);
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(config.root, error)) {
    if (entry.path().filename() == std::string(settings_file) + ".partial") continue;
    throw InputError(
        fmt::format("{}: the folder is not empty ({} is in it) and synth did not make it; choose another",
                    config.root.string(), entry.path().filename().string()));
  }
  if (error) throw InputError(fmt::format("{}: {}", config.root.string(), error.message()));
  write_settings(file, to_json(config));
}

}  // namespace cinecortex::stages::synthetic
