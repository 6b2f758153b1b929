#pragma once
#include <string>

#include "cinecortex/encoding/pca.hpp"
#include "cinecortex/linalg/leading_eigen.hpp"

/// How the solvers are set up, which decides what they cost and hold.   Collective: no, all of it.
namespace cinecortex::encoding {

std::string name_of(PcaSolver solver);

/// For a square in memory: small blocks need the fewest products.
linalg::LeadingOptions in_memory(Index k, std::uint64_t seed);
/// For rows that are read again for every block: larger blocks and a larger basis need fewer passes.
linalg::LeadingOptions streamed(Index k, std::uint64_t seed);
/// Whether a square [n, n] is rather decomposed as a whole than for its k leading vectors.
bool whole_is_cheaper(Index n, Index k, bool single);
/// Numbers of a shard of columns in the dual solver.
constexpr Index shard_numbers = Index{32} << 20;

}  // namespace cinecortex::encoding
