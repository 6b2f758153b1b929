#pragma once
#include <nlohmann/json.hpp>
#include <string>

#include "context.hpp"
#include "scoreboard.hpp"

namespace cinecortex::stages {

struct TruthReport {
  std::string text;  ///< empty where the data set has no truth.h5
  nlohmann::json details = nlohmann::json::object();
};

/// For made-up data (`synth` leaves truth.h5 beside them): which space comes first in parcels of each planted type,
/// and the stack beside the planted noise ceiling.   Collective: over comm.
TruthReport truth_report(const Config& config, const Context& context, const Scoreboard& board,
                         const parallel::Communicator& comm);

}  // namespace cinecortex::stages
