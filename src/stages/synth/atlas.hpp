#pragma once
#include "cinecortex/io/nifti.hpp"

namespace cinecortex::stages::synthetic {

/// A made-up parcellation on the challenge's grid (97 × 115 × 97 voxels of 2 mm): a ball of voxels a parcel,
/// labelled 1 … parcels, from the back of the head to the front; 0 outside.   Collective: no.
io::Volume make_atlas(std::uint64_t seed, Index parcels);

}  // namespace cinecortex::stages::synthetic
