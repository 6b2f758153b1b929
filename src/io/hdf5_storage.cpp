#include "hdf5_storage.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>

#include "cinecortex/core/error.hpp"
#include "cinecortex/core/progress.hpp"
#include "hdf5_support.hpp"
#include "output_file.hpp"

namespace cinecortex::io::h5 {
namespace {

constexpr Index chunk_bytes = Index{1} << 20;
constexpr Index metadata_bytes =
    16384;                         ///< a data set's header, attributes and share of its group, generously
constexpr Index index_bytes = 96;  ///< a chunk's entry in a half-filled index
constexpr Index fill_bytes = Index{1} << 20;
constexpr Index chunk_columns =
    1024;  ///< a chunk of a wide matrix: serves readers of rows and of columns alike

[[noreturn]] void fail_full(const std::filesystem::path& file, const char* reason, Index needed,
                            double free) {
  throw InputError(fmt::format("{}: {}: {} more are needed, {} are free", file.string(), reason,
                               format_bytes(static_cast<double>(needed)), format_bytes(free)));
}

/// Free space of the disk a file is on; infinite where the file system does not tell.
double free_bytes(const std::filesystem::path& file) {
  struct statvfs disk {};
  if (::statvfs(file.c_str(), &disk) != 0 || disk.f_blocks == 0)
    return std::numeric_limits<double>::infinity();
  return static_cast<double>(disk.f_bavail) * static_cast<double>(disk.f_frsize);
}

herr_t visit_object(hid_t file, const char* name, const H5O_info_t* info, void*) {
  if (info->type != H5O_TYPE_DATASET) return 0;
  const Handle data(H5Dopen2(file, name, H5P_DEFAULT), H5Dclose);
  // Asking for the size walks the whole index of chunks. (0 is an error or an empty data set.)
  if (data.get() >= 0) H5Dget_storage_size(data.get());
  return data.get() >= 0 && H5Eget_num(H5E_DEFAULT) == 0 ? 0 : -1;
}

}  // namespace

std::vector<hsize_t> chunk_shape(const std::vector<Index>& shape, Index item_bytes) {
  std::vector<hsize_t> chunk(shape.size(), 1);
  Index left = std::max<Index>(1, chunk_bytes / item_bytes);
  const auto take = [&](std::size_t axis, Index most) {
    const Index size = std::clamp<Index>(std::min(left, most), 1, shape[axis]);
    chunk[axis] = static_cast<hsize_t>(size);
    left /= size;
  };
  const std::size_t last = shape.size() - 1;
  if (shape.size() == 1) {
    take(last, left);
    return chunk;
  }
  const Index rows_at_most = std::min(shape[last - 1], left / std::min({chunk_columns, shape[last], left}));
  take(last, std::max(chunk_columns, left / std::max<Index>(1, rows_at_most)));
  for (std::size_t axis = last; axis-- > 0;) take(axis, left);
  return chunk;
}

Index element_count(const std::vector<Index>& shape) {
  Index count = 1;
  for (const Index size : shape) {
    if (__builtin_mul_overflow(count, size, &count))
      throw Error("internal: a data set's size overflows 64 bits");
  }
  return count;
}

Index space_needed(const std::vector<Index>& shape, Index item_bytes) {
  if (element_count(shape) == 0) return metadata_bytes;
  const auto chunk = chunk_shape(shape, item_bytes);
  Index chunks = 1, chunk_items = 1;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    const Index size = static_cast<Index>(chunk[axis]);
    chunks *= (shape[axis] + size - 1) / size;
    chunk_items *= size;
  }
  Index bytes = 0;
  if (__builtin_mul_overflow(chunks, chunk_items * item_bytes + index_bytes, &bytes)) {
    throw Error("internal: a data set's size overflows 64 bits");
  }
  return bytes + metadata_bytes;
}

void prepare_file(const std::filesystem::path& file, const std::filesystem::path& partial) {
  make_parent_folder(file);
  std::error_code error;
  if (std::filesystem::is_directory(file, error))
    throw InputError(file.string() + " is a folder, not a file");
  std::filesystem::remove(partial, error);
  if (error) throw InputError(partial.string() + " cannot be replaced: " + error.message());
  const int fd = ::open(partial.c_str(), O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0) throw InputError(partial.string() + " cannot be created: " + std::strerror(errno));
  ::close(fd);
}

void check_free_space(const std::filesystem::path& file, Index bytes) {
  if (const double free = free_bytes(file); static_cast<double>(bytes) > free) {
    fail_full(file, std::strerror(ENOSPC), bytes, free);
  }
}

Descriptor::~Descriptor() {
  if (value_ >= 0) ::close(value_);
}

void Descriptor::open(const std::filesystem::path& file) {
  file_ = file;
  value_ = ::open(file.c_str(), O_RDWR | O_CLOEXEC);
  if (value_ < 0) throw InputError(file.string() + " cannot be opened: " + std::strerror(errno));
}

bool Descriptor::reserve(Index from, Index to) const {
  if (::fallocate(value_, 0, from, to - from) == 0) return true;
  if (errno != EOPNOTSUPP && errno != ENOSYS && errno != EINVAL) {
    fail_full(file_, std::strerror(errno), to - from, free_bytes(file_));
  }
  fill(to);
  return false;
}

void Descriptor::fill(Index to) const {
  struct stat status {};
  if (::fstat(value_, &status) != 0) throw InputError(file_.string() + " is lost: " + std::strerror(errno));
  const std::vector<char> zeros(fill_bytes);
  for (Index at = status.st_size; at < to;) {
    const auto size = static_cast<std::size_t>(std::min(to - at, fill_bytes));
    const ssize_t written = ::pwrite(value_, zeros.data(), size, at);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) fail_full(file_, std::strerror(errno), to - at, free_bytes(file_));
    at += written;
  }
}

void Descriptor::synchronise() const {
  if (::fsync(value_) != 0 && errno != EINVAL && errno != EROFS) {
    throw InputError(file_.string() + " cannot be completed: " + std::strerror(errno));
  }
}

void check_structure(const std::filesystem::path& file) {
  const std::string what = file.string() + " was not written completely (is the disk full?)";
  const Handle id = own(H5Fopen(file.c_str(), H5F_ACC_RDONLY, serial_access(what).get()), H5Fclose, what);
  check(H5Ovisit(id.get(), H5_INDEX_NAME, H5_ITER_NATIVE, visit_object, nullptr), what);
}

}  // namespace cinecortex::io::h5
