#include "truth_report.hpp"

namespace cinecortex::stages {
TruthReport truth_report(const Config&, const Context&, const Scoreboard&, const parallel::Communicator&) { return {}; }
}  // namespace cinecortex::stages
