#pragma once
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cinecortex/core/types.hpp"

/// Weights as Hugging Face stores them (https://huggingface.co/docs/safetensors), mapped and never copied.
namespace cinecortex::io {

enum class TensorType { float64, float32, float16, bfloat16, int64, int32, int16, int8, uint8, boolean };

std::string_view name(TensorType type);  ///< e.g. "float16"
Index item_bytes(TensorType type);

/// One tensor of a file: where its values lie. They are little-endian, in C order, not always aligned.
struct StoredTensor {
  TensorType type = TensorType::float32;
  std::vector<Index> shape;  ///< empty: a single number
  std::span<const std::byte> bytes;
  std::shared_ptr<const void> owner;  ///< keeps the mapping alive
  std::filesystem::path file;
};

/// The tensors of a model: one file, or a folder's `model.safetensors`, or the shards that its
/// `model.safetensors.index.json` names. Files are mapped read-only and shared: all processes of a node use
/// one copy, and a page is read when it is first touched.   Collective: no, none of it.
class Safetensors {
 public:
  /// @throws InputError in one line that names the file: missing or truncated; a header that is no JSON, too
  ///         long, has a name twice, an unknown type, a shape that does not fit its bytes, bytes outside of the file,
  ///         shared between tensors or used by none; an index that names a tensor or file that is not there.
  explicit Safetensors(const std::filesystem::path& file_or_folder);

  const std::filesystem::path& path() const noexcept { return path_; }  ///< as given
  const std::vector<std::filesystem::path>& files() const noexcept {
    return files_;
  }  ///< all that are mapped
  const std::map<std::string, StoredTensor>& tensors() const noexcept { return tensors_; }  ///< by name

  /// @throws InputError naming the tensor, the file or folder, and the closest names there.
  const StoredTensor& at(const std::string& name) const;

 private:
  void read_folder();
  void read_shards(const std::filesystem::path& index);

  std::filesystem::path path_;
  std::vector<std::filesystem::path> files_;
  std::map<std::string, StoredTensor> tensors_;
};

}  // namespace cinecortex::io
