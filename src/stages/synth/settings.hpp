#pragma once
#include "cinecortex/stages/synth.hpp"

namespace cinecortex::stages::synthetic {

/// @throws InputError naming the setting, its value and what is allowed.   Collective: no.
void check(const SynthConfig& config);

/// Makes the folder of the data set, or accepts one that synth began with the same settings: they are kept in
/// its synth.json. @throws InputError: other settings, a folder with something else in it, no permission.
/// Collective: no (for one rank).
void claim_folder(const SynthConfig& config);

}  // namespace cinecortex::stages::synthetic
