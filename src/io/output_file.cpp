#include "output_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "cinecortex/core/error.hpp"

namespace cinecortex::io {
namespace {

[[noreturn]] void fail(const std::filesystem::path& file, const char* what) {
  throw InputError(file.string() + " " + what + ": " + std::strerror(errno));
}

}  // namespace

std::filesystem::path partial_name(const std::filesystem::path& file) {
  auto name = file;
  name += ".partial";
  return name;
}

void make_parent_folder(const std::filesystem::path& file) {
  if (!file.has_parent_path()) return;
  std::error_code error;
  std::filesystem::create_directories(file.parent_path(), error);
  if (error) throw InputError(file.parent_path().string() + " cannot be made a folder: " + error.message());
}

void publish(const std::filesystem::path& partial, const std::filesystem::path& file) {
  const int descriptor = ::open(partial.c_str(), O_WRONLY | O_CLOEXEC);
  if (descriptor < 0) fail(partial, "cannot be opened again");
  struct stat status {};
  // Cutting a file to its own size gives back what was reserved beyond its end.
  const bool synchronised = ::fstat(descriptor, &status) == 0 &&
                            ::ftruncate(descriptor, status.st_size) == 0 && ::fsync(descriptor) == 0;
  const int failed = synchronised ? 0 : errno;
  ::close(descriptor);
  // EINVAL, EROFS: nothing to synchronise on this file system.
  if (failed != 0 && failed != EINVAL && failed != EROFS) {
    errno = failed;
    fail(partial, "cannot be completed");
  }
  std::error_code error;
  std::filesystem::rename(partial, file, error);
  if (error) throw InputError(partial.string() + " cannot be renamed to its final name: " + error.message());
}

OutputFile::OutputFile(const std::filesystem::path& file) : file_(file), partial_(partial_name(file)) {
  make_parent_folder(file);
  std::error_code error;
  if (std::filesystem::is_directory(file, error))
    throw InputError(file.string() + " is a folder, not a file");
  descriptor_ = ::open(partial_.c_str(), O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0666);
  if (descriptor_ < 0) fail(partial_, "cannot be created");
}

OutputFile::~OutputFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void OutputFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor_, bytes.data(), std::min(bytes.size(), std::size_t{1} << 30));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) fail(partial_, "cannot be written");
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

void OutputFile::finish() {
  if (::close(std::exchange(descriptor_, -1)) != 0) fail(partial_, "cannot be completed");
  publish(partial_, file_);
}

}  // namespace cinecortex::io
