#include "cinecortex/io/nifti.hpp"

#include <fmt/format.h>
#include <nifti2_io.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>

#include "cinecortex/core/error.hpp"
#include "output_file.hpp"

namespace cinecortex::io {
namespace {

constexpr Index most_voxels = Index{1} << 31;  // a whole head at 0.1 mm has 2·10⁹

using Image = std::unique_ptr<nifti_image, decltype(&nifti_image_free)>;

constexpr int readable_types[] = {DT_UINT8, DT_INT8,   DT_UINT16, DT_INT16,   DT_UINT32,
                                  DT_INT32, DT_UINT64, DT_INT64,  DT_FLOAT32, DT_FLOAT64};

template <class Number>
Number swapped(Number value) {
  auto bytes = std::bit_cast<std::array<std::byte, sizeof(Number)>>(value);
  std::reverse(bytes.begin(), bytes.end());
  return std::bit_cast<Number>(bytes);
}

template <class Header>
bool is_plausible(const Header& header) {
  const bool foreign = header.dim[0] < 1 || header.dim[0] > 7;  // big-endian, unless it is broken
  const auto native = [&](auto value) { return foreign ? swapped(value) : value; };
  const auto dimensions = native(header.dim[0]);
  if (dimensions < 1 || dimensions > 7) return false;
  for (int axis = 1; axis <= dimensions; ++axis) {
    if (native(header.dim[axis]) < 1) return false;
  }
  const int type = native(header.datatype);
  return std::find(std::begin(readable_types), std::end(readable_types), type) != std::end(readable_types);
}

/// The library prints some of what it finds wrong at any level: it shall see only headers that it will like.
bool has_plausible_header(const std::filesystem::path& file) {
  nifti_set_debug_level(0);
  int version = 0;
  const std::unique_ptr<void, decltype(&std::free)> header(nifti_read_header(file.c_str(), &version, 0),
                                                           std::free);
  if (!header) return false;
  if (version == 1) return is_plausible(*static_cast<const nifti_1_header*>(header.get()));
  return version == 2 && is_plausible(*static_cast<const nifti_2_header*>(header.get()));
}

Image open_image(const std::filesystem::path& file, bool with_data) {
  return {nifti_image_read(file.c_str(), with_data ? 1 : 0), nifti_image_free};
}

bool is_nifti_name(const std::filesystem::path& file) {
  const std::string name = file.filename().string();
  return name.ends_with(".nii") || name.ends_with(".nii.gz");
}

template <class Stored>
void copy_values(const nifti_image& image, std::vector<float>& values) {
  const auto* data = static_cast<const Stored*>(image.data);
  const double slope = image.scl_slope == 0 ? 1.0 : image.scl_slope;  // 0: not scaled
  const double offset = image.scl_slope == 0 ? 0.0 : image.scl_inter;
  std::transform(data, data + values.size(), values.begin(), [&](Stored value) {
    return static_cast<float>(slope * static_cast<double>(value) + offset);
  });
}

void copy_values(const nifti_image& image, std::vector<float>& values, const std::string& name) {
  switch (image.datatype) {
    case DT_UINT8:
      return copy_values<std::uint8_t>(image, values);
    case DT_INT8:
      return copy_values<std::int8_t>(image, values);
    case DT_UINT16:
      return copy_values<std::uint16_t>(image, values);
    case DT_INT16:
      return copy_values<std::int16_t>(image, values);
    case DT_UINT32:
      return copy_values<std::uint32_t>(image, values);
    case DT_INT32:
      return copy_values<std::int32_t>(image, values);
    case DT_UINT64:
      return copy_values<std::uint64_t>(image, values);
    case DT_INT64:
      return copy_values<std::int64_t>(image, values);
    case DT_FLOAT32:
      return copy_values<float>(image, values);
    case DT_FLOAT64:
      return copy_values<double>(image, values);
    default:
      break;
  }
  throw InputError(fmt::format("{} holds values of the NIfTI type {} ({}); integers and floats can be read",
                               name, image.datatype, nifti_datatype_string(image.datatype)));
}

std::array<Index, 3> shape_of(const nifti_image& image, const std::string& name) {
  const std::array<Index, 3> shape{image.nx, image.ny, image.nz};
  const bool single = image.nt <= 1 && image.nu <= 1 && image.nv <= 1 && image.nw <= 1;
  Index voxels = 1;
  bool possible = single;
  for (const Index size : shape) {
    possible =
        possible && size > 0 && !__builtin_mul_overflow(voxels, size, &voxels) && voxels <= most_voxels;
  }
  if (!possible || voxels != image.nvox) {
    throw InputError(fmt::format("{} has {} × {} × {} voxels and {} volumes; one volume is needed", name,
                                 image.nx, image.ny, image.nz, image.nt));
  }
  return shape;
}

int stored_type(const Volume& volume, bool integer_labels) {
  if (!integer_labels) return DT_FLOAT32;
  float largest = 0;
  for (const float value : volume.values) {
    if (!(value == std::nearbyint(value)) || std::abs(value) > 16777216.0f) {  // 2²⁴: floats skip integers
      throw Error(fmt::format("internal: the label {} is not a whole number", value));
    }
    largest = std::max(largest, std::abs(value));
  }
  return largest <= std::numeric_limits<std::int16_t>::max() ? DT_INT16 : DT_INT32;
}

template <class Stored>
void fill(nifti_image& image, const std::vector<float>& values) {
  std::transform(values.begin(), values.end(), static_cast<Stored*>(image.data),
                 [](float value) { return static_cast<Stored>(value); });
}

Image make_image(const Volume& volume, bool integer_labels, const std::filesystem::path& file) {
  const std::int64_t dims[8] = {3, volume.shape[0], volume.shape[1], volume.shape[2], 1, 1, 1, 1};
  const int type = stored_type(volume, integer_labels);
  Image image(nifti_make_new_nim(dims, type, 1), nifti_image_free);
  if (!image) throw Error("internal: a volume for " + file.string() + " cannot be made");
  if (type == DT_INT16)
    fill<std::int16_t>(*image, volume.values);
  else if (type == DT_INT32)
    fill<std::int32_t>(*image, volume.values);
  else
    fill<float>(*image, volume.values);
  for (int row = 0; row < 4; ++row) {
    for (int column = 0; column < 4; ++column) {
      image->sto_xyz.m[row][column] = volume.affine[static_cast<std::size_t>(4 * row + column)];
    }
  }
  image->sform_code = NIFTI_XFORM_MNI_152;
  image->qform_code = NIFTI_XFORM_UNKNOWN;
  image->xyz_units = NIFTI_UNITS_MM;
  double* const spacing[] = {&image->dx, &image->dy, &image->dz};
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const auto at = [&](std::size_t row) { return volume.affine[4 * row + axis]; };
    const double length = std::hypot(at(0), at(1), at(2));
    *spacing[axis] = image->pixdim[axis + 1] = length > 0 ? length : 1.0;
  }
  image->nifti_type = NIFTI_FTYPE_NIFTI1_1;
  image->fname = strdup(file.c_str());  // freed by nifti_image_free
  image->iname = strdup(file.c_str());
  return image;
}

}  // namespace

Volume read_nifti(const std::filesystem::path& file) {
  const std::string name = file.string();
  std::error_code error;
  if (!std::filesystem::is_regular_file(file, error)) throw InputError(name + ": no such file");
  if (!is_nifti_name(file)) throw InputError(name + " is not named .nii or .nii.gz");
  if (!has_plausible_header(file)) {
    throw InputError(name + " is not a NIfTI file of integers or floats, or its header is cut off");
  }
  const Image header = open_image(file, false);
  if (!header) throw InputError(name + " has a NIfTI header that cannot be read");
  Volume volume;
  volume.shape = shape_of(*header, name);
  const Image image = open_image(file, true);
  if (!image || image->data == nullptr) throw InputError(name + " is truncated: its voxels cannot be read");
  volume.values.resize(static_cast<std::size_t>(image->nvox));
  copy_values(*image, volume.values, name);
  const auto& affine = image->sform_code > 0 ? image->sto_xyz : image->qto_xyz;
  for (std::size_t i = 0; i < 16; ++i) volume.affine[i] = static_cast<float>(affine.m[i / 4][i % 4]);
  return volume;
}

void write_nifti(const std::filesystem::path& file, const Volume& volume, bool integer_labels) {
  if (!is_nifti_name(file)) throw InputError(file.string() + ": a volume's name ends in .nii or .nii.gz");
  const Index voxels = volume.shape[0] * volume.shape[1] * volume.shape[2];
  if (voxels <= 0 || voxels != static_cast<Index>(volume.values.size())) {
    throw Error("internal: the values of " + file.string() + " do not fill its shape");
  }
  make_parent_folder(file);
  // The library compresses by the name's end, so ".partial" goes in front of it.
  const bool compressed = file.extension() == ".gz";
  auto partial = file;
  partial += compressed ? ".partial.nii.gz" : ".partial.nii";
  nifti_set_debug_level(0);
  const Image image = make_image(volume, integer_labels, partial);
  nifti_image_write(image.get());
  // It reports no failure either: what is on the disk is compared.
  bool complete = false;
  try {
    complete = read_nifti(partial).values == volume.values;
  } catch (const InputError&) {
  }
  if (!complete) {
    throw InputError(partial.string() + " cannot be written completely: no permission, or the disk is full");
  }
  publish(partial, file);
}

}  // namespace cinecortex::io
