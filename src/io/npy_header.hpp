#pragma once
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "cinecortex/core/types.hpp"

namespace cinecortex::io {

/// The first bytes of a .npy file, read.
struct NpyHeader {
  std::string descr;  ///< "<f4", "|O", …
  bool fortran = false;
  std::vector<Index> shape;
  std::size_t data_offset = 0;  ///< where the values begin
};

/// @param bytes  the file's beginning, all of it or at least the header
/// @throws InputError beginning with `name`: not a .npy, another version, a header that is broken or cut off,
///         a structured type.   Collective: no.
NpyHeader parse_npy_header(std::span<const std::byte> bytes, const std::string& name);

}  // namespace cinecortex::io
