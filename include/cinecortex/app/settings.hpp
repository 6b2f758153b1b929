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
encoding::PcaOptions pca_options(const std::vector<Setting>& settings);  ///< fit_every 1: all rows
std::string stack_method(const std::vector<Setting>& settings);
encoding::SignificanceOptions significance_options(const std::vector<Setting>& settings);
models::ModelConfig model_config(
    const std::vector<Setting>& settings);  ///< keys model, weights and the model's own

/// Keys of [ridge], and of a design: delay and window, or delays; and edge.
struct MatrixRidge {
  encoding::RidgeOptions options;
  std::optional<encoding::Design> design;  ///< none: columns are used as they are
};
MatrixRidge matrix_ridge(const std::vector<Setting>& settings);

/// Keys of [sweep] that have a meaning without spaces (components, delay, window, delays, folds), edge, and those of
/// [ridge] but the criterion.
struct MatrixSweep {
  stages::SweepConfig sweep;
  encoding::Edge edge = encoding::Edge::shift;
  encoding::RidgeOptions ridge;
};
MatrixSweep matrix_sweep(const std::vector<Setting>& settings);

}  // namespace cinecortex::app
