#pragma once
#include <cstddef>
#include <filesystem>
#include <span>
#include <string_view>

/// Files that appear under their final name only when they are complete.   Collective: no.
namespace cinecortex::io {

std::filesystem::path partial_name(const std::filesystem::path& file);  ///< "x.npy" → "x.npy.partial"

/// @throws InputError naming the folder and the system's reason.
void make_parent_folder(const std::filesystem::path& file);

/// Makes sure that `partial` is on the disk, then gives it its final name.
/// @throws InputError naming the file and the system's reason (a full disk may show only here).
void publish(const std::filesystem::path& partial, const std::filesystem::path& file);

/// Bytes written one after the other to `<file>.partial`, which finish() renames. Without finish() the
/// .partial stays.
class OutputFile {
 public:
  explicit OutputFile(const std::filesystem::path& file);  ///< @throws InputError
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  void write(std::span<const std::byte> bytes);  ///< @throws InputError: disk full and the like
  void write(std::string_view text) { write(std::as_bytes(std::span(text.data(), text.size()))); }
  void finish();

 private:
  std::filesystem::path file_, partial_;
  int descriptor_ = -1;
};

}  // namespace cinecortex::io
