#pragma once
#include <optional>
#include <string>
#include <vector>

#include "extraction_plan.hpp"

namespace cinecortex::stages {

/// What a TR of a network, or of a space without weights, took a rank. Feature files keep it, so that the time of what is
/// missing can be told.
struct ExtractionPace {
  double computing_s = 0;
  double reading_s = 0;  ///< decoding, for all spaces that were extracted with this one
};

/// Attributes of a feature file.
inline constexpr const char *computing_attribute = "computing_s_a_tr", *reading_attribute = "reading_s_a_tr";

/// One rank's chunks of a network. The first, which loads it, counts only where it is alone.   Collective: no.
class PaceMeter {
 public:
  void add(Index tr, ExtractionPace seconds);
  /// Nothing before the first chunk.
  std::optional<ExtractionPace> a_tr() const;

 private:
  Index chunks_ = 0, tr_ = 0;
  ExtractionPace seconds_;
};

/// Time of what is missing.
struct ExtractionTime {
  double seconds = 0;                ///< of the spaces whose pace is known
  std::vector<std::string> unknown;  ///< spaces that lack TRs and have no file with a pace
};

/// @param ahead  a rank reads the next chunk while it computes one    Collective: over comm.
ExtractionTime extraction_time(const ExtractionPlan& plan, const Outputs& outputs, bool ahead,
                               const parallel::Communicator& comm);

}  // namespace cinecortex::stages
