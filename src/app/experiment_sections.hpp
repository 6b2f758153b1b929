#pragma once
#include "cinecortex/stages/experiment.hpp"
#include "toml_section.hpp"

/// The tables of an experiment file, each read on its own, so that settings on the command line without an
/// experiment pass the same checks. They ask `section` for their keys; the caller refuses what is left.
namespace cinecortex::app {

encoding::RidgeOptions read_ridge(Section& section);
encoding::RidgeOptions read_alphas(Section& section);  ///< the same but for the criterion
encoding::PcaOptions read_pca_options(Section& section, Index default_fit_every);
stages::StackConfig read_stack(Section& section);
encoding::SignificanceOptions read_score(Section& section);
/// @param spaces  names that there are; none on matrices, which have neither spaces nor seasons
stages::SweepConfig read_sweep(Section& section, const std::vector<std::string>& spaces);
models::ModelConfig read_model(Section& section);  ///< model, weights and the model's own keys
encoding::Design read_design(Section& section);    ///< delay and window, or delays; edge

}  // namespace cinecortex::app
