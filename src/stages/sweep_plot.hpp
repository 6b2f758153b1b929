#pragma once
#include <string>
#include <vector>

#include "sweep_table.hpp"

namespace cinecortex::stages {

/// The sweep as a picture (SVG): a panel a space, mean r against the number of components, a line a design; the best
/// configuration is ringed.   Collective: no.
std::string sweep_plot(const std::vector<SweepRow>& rows);

}  // namespace cinecortex::stages
