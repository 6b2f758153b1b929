#pragma once
#include <cstddef>
#include <filesystem>
#include <span>

namespace cinecortex::io {

/// A whole file mapped for reading: its pages are the page cache's, one copy for all processes of a node.
/// @throws InputError naming the file: it cannot be opened, is no file, or is empty.   Collective: no.
class MappedFile {
 public:
  explicit MappedFile(const std::filesystem::path& file);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::byte> bytes() const noexcept { return {static_cast<const std::byte*>(map_), size_}; }

  /// Pages read count as this process's memory although the kernel could take them back: this gives them back.
  void release_pages() const noexcept;

 private:
  void* map_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace cinecortex::io
