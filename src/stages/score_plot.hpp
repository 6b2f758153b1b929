#pragma once
#include <string>

#include "scoreboard.hpp"

namespace cinecortex::stages {

/// The scoreboard as a picture (SVG): a panel a group, a bar a model with the subjects as dots, and the noise ceiling
/// as a line.   Collective: no.
std::string score_plot(const Scoreboard& board);

}  // namespace cinecortex::stages
