#pragma once
#include <array>
#include <filesystem>
#include <vector>

#include "cinecortex/core/types.hpp"

namespace cinecortex::io {

/// A volume of labels or numbers on a voxel grid, x fastest. .nii or .nii.gz.
struct Volume {
  std::array<Index, 3> shape{};
  std::array<float, 16> affine{};  ///< voxel → mm, row-major 4×4
  std::vector<float> values;
};
/// @throws InputError naming the file.   Collective: no.
Volume read_nifti(const std::filesystem::path& file);
void write_nifti(const std::filesystem::path& file, const Volume& volume, bool integer_labels);

}  // namespace cinecortex::io
