#pragma once
#include <string_view>
#include <vector>

#include "cinecortex/dataset/catalogue.hpp"

namespace cinecortex::dataset {

enum class Repeats { average, keep };
Repeats parse_repeats(std::string_view name);  ///< @throws InputError

/// Responses of a subject to a run: one matrix [T, targets.size()], or one a repeat for `keep`. Repeats that differ
/// by a few TRs are cut to the shortest before averaging.
/// @throws InputError naming file, data set, row and target of the first NaN or infinity.   Collective: no.
std::vector<MatrixF> read_responses(const Run& run, int subject, Range targets, Repeats repeats);

}  // namespace cinecortex::dataset
