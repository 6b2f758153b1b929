#pragma once
#include <hdf5.h>

#include <filesystem>
#include <vector>

#include "cinecortex/core/types.hpp"

/// An HDF5 file's place on the disk: its chunks, the space they need, whether it is all there.   Collective: no.
namespace cinecortex::io::h5 {

/// About 1 MiB, never more than the data; the last axis first, then the one before, then the rest.
/// @pre no size is 0
std::vector<hsize_t> chunk_shape(const std::vector<Index>& shape, Index item_bytes);

Index element_count(const std::vector<Index>& shape);  ///< @throws Error if it overflows

/// Bytes in the file: whole chunks, their index, and the header. (MPI-IO files do not tell their size.)
Index space_needed(const std::vector<Index>& shape, Index item_bytes);

/// What one rank can find out alone, so that every rank hears the operating system's reason: makes the folder,
/// replaces an old .partial, tries to write. @throws InputError
void prepare_file(const std::filesystem::path& file, const std::filesystem::path& partial);

/// @throws InputError if the disk that `file` is on has less than `bytes` left; passes where that is unknown.
void check_free_space(const std::filesystem::path& file, Index bytes);

/// A second view of the file: the system's errors of late writes reach it, whoever wrote.
class Descriptor {
 public:
  Descriptor() = default;
  ~Descriptor();
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  void open(const std::filesystem::path& file);  ///< @throws InputError
  /// Takes the disk space of [from, to) now; where the file system has no call for that, by writing zeros behind
  /// the file's end.
  /// @return false in the latter case: a file system that writes elsewhere when it overwrites promises nothing
  /// @throws InputError: disk full, quota
  bool reserve(Index from, Index to) const;
  void synchronise() const;  ///< @throws InputError with what went wrong since open()

 private:
  void fill(Index to) const;
  std::filesystem::path file_;
  int value_ = -1;
};

/// @throws InputError unless every group, data set and chunk index can be read.
void check_structure(const std::filesystem::path& file);

}  // namespace cinecortex::io::h5
