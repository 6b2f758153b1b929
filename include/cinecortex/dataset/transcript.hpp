#pragma once
#include <filesystem>

#include "cinecortex/core/stimulus.hpp"

namespace cinecortex::dataset {

/// Columns text_per_tr, words_per_tr, onsets_per_tr, durations_per_tr; others are ignored. Empty rows are TRs
/// without speech. @throws InputError naming file, line and column: wrong columns, a broken list, lists of
/// different lengths.   Collective: no.
Transcript read_transcript(const std::filesystem::path& file);
void write_transcript(const std::filesystem::path& file, const Transcript& transcript);

}  // namespace cinecortex::dataset
