#include "mapped_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "cinecortex/core/error.hpp"

namespace cinecortex::io {

MappedFile::MappedFile(const std::filesystem::path& file) {
  const auto fail = [&](const char* what) {
    return InputError(file.string() + " " + what + ": " + std::strerror(errno));
  };
  const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) throw fail("cannot be opened");
  struct stat status {};
  if (::fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(descriptor);
    throw InputError(file.string() + " is not a file");
  }
  size_ = static_cast<std::size_t>(status.st_size);
  if (size_ == 0) {
    ::close(descriptor);
    throw InputError(file.string() + " is empty (0 bytes)");
  }
  map_ = ::mmap(nullptr, size_, PROT_READ, MAP_SHARED, descriptor, 0);
  const int error = errno;
  ::close(descriptor);
  errno = error;
  if (map_ == MAP_FAILED) throw fail("cannot be mapped");
}

MappedFile::~MappedFile() {
  ::munmap(map_, size_);
}

void MappedFile::release_pages() const noexcept {
  ::madvise(map_, size_, MADV_DONTNEED);
}

}  // namespace cinecortex::io
