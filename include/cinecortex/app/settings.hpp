#pragma once
#include <optional>
#include <string>
#include <vector>

#include "cinecortex/encoding/design.hpp"
#include "cinecortex/encoding/pca.hpp"
#include "cinecortex/encoding/ridge.hpp"
#include "cinecortex/encoding/significance.hpp"
#include "cinecortex/models/extractor.hpp"
#include "cinecortex/stages/experiment.hpp"

namespace cinecortex::app {

/// One setting from the command line. In an experiment it replaces the key of that path; on matrices it is a
/// key of the one table that the verb knows.
struct Setting {
  std::string key;    ///< e.g. data.tr_s, space.whisper.delay, alphas
  std::string value;  ///< TOML, e.g. [1, 2] or 0.5; what is not valid TOML is taken as a bare string
  std::string place;  ///< how it was given, for messages, e.g. "--set ridge.alphas=[1]"
};

/// `key=value`, as given to --set.   @throws InputError without a key or an "=".
Setting parse_setting(const std::string& text);

// Settings of one verb on matrices, checked as the same keys of an experiment file are; what is not given
// takes the experiment file's default unless it says otherwise.
// @throws InputError naming the setting, the value and what is allowed.   Collective: no.
encoding::RidgeOptions ridge_options(const std::vector<Setting>& settings);
encoding::PcaOptions pca_options(const std::vector<Setting>& settings);  ///< fit_every 1: all rows
std::string stack_method(const std::vector<Setting>& settings);
encoding::SignificanceOptions significance_options(const std::vector<Setting>& settings);
models::ModelConfig model_config(
    const std::vector<Setting>& settings);  ///< keys model, weights and the model's own

/// Keys of [sweep] that have a meaning without spaces (components, delay, window, delays, folds), and edge.
struct MatrixSweep {
  stages::SweepConfig sweep;
  encoding::Edge edge = encoding::Edge::shift;
};
MatrixSweep matrix_sweep(const std::vector<Setting>& settings);
bool is_sweep_key(const std::string& key);  ///< that matrix_sweep() reads

/// Keys delay and window, or delays; and edge. None of them: no design, columns are used as they are.
std::optional<encoding::Design> design(const std::vector<Setting>& settings);

/// The names of the keys that design() reads.
bool is_design_key(const std::string& key);

}  // namespace cinecortex::app
