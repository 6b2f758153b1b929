#pragma once
#include <cmath>
#include <vector>

#include "cinecortex/core/types.hpp"

namespace cinecortex::models {

/// The first sample k of the grid (k + offset) / rate_hz that lies at or after the start of TR `row`.
/// The slack puts a sample that rounding moved across the border of two TRs where it belongs.
inline Index first_sample_of_row(Index row, double tr_s, double rate_hz, double offset) {
  return static_cast<Index>(std::ceil(static_cast<double>(row) * tr_s * rate_hz - offset - 1e-6));
}

/// Samples of some TRs. Neighbouring TRs share none and leave none out.   Collective: no.
inline Range samples_of_rows(Range rows, double tr_s, double rate_hz, double offset = 0) {
  return {first_sample_of_row(rows.begin, tr_s, rate_hz, offset),
          first_sample_of_row(rows.end, tr_s, rate_hz, offset)};
}

/// Midpoints of `count` equal parts of each TR, in seconds.   Collective: no.
inline std::vector<double> midpoints_of_rows(Range rows, Index count, double tr_s) {
  std::vector<double> times_s;
  for (Index row = rows.begin; row < rows.end; ++row) {
    for (Index i = 0; i < count; ++i) {
      const double part = (static_cast<double>(i) + 0.5) / static_cast<double>(count);
      times_s.push_back((static_cast<double>(row) + part) * tr_s);
    }
  }
  return times_s;
}

}  // namespace cinecortex::models
