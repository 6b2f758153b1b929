#include "cinecortex/io/safetensors.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>

#include "cinecortex/core/error.hpp"
#include "cinecortex/io/json.hpp"
#include "mapped_file.hpp"

namespace cinecortex::io {
namespace {

using nlohmann::json;

static_assert(std::endian::native == std::endian::little, "values are little-endian and mapped as they are");

/// What the format's own library allows.
constexpr std::uint64_t most_header_bytes = 100'000'000;
constexpr std::size_t length_bytes = 8;

struct TypeName {
  TensorType type;
  std::string_view stored, name;
  Index bytes;
};
constexpr std::array type_names{
    TypeName{TensorType::float64, "F64", "float64", 8}, TypeName{TensorType::float32, "F32", "float32", 4},
    TypeName{TensorType::float16, "F16", "float16", 2}, TypeName{TensorType::bfloat16, "BF16", "bfloat16", 2},
    TypeName{TensorType::int64, "I64", "int64", 8},     TypeName{TensorType::int32, "I32", "int32", 4},
    TypeName{TensorType::int16, "I16", "int16", 2},     TypeName{TensorType::int8, "I8", "int8", 1},
    TypeName{TensorType::uint8, "U8", "uint8", 1},      TypeName{TensorType::boolean, "BOOL", "bool", 1}};

const TypeName& entry(TensorType type) {
  return type_names[static_cast<std::size_t>(type)];
}

/// One header entry on its way to a StoredTensor. Messages begin with `where`: file and tensor.
class HeaderEntry {
 public:
  HeaderEntry(const json& value, std::string where) : value_(value), where_(std::move(where)) {
    if (!value.is_object()) fail("is not an object with dtype, shape and data_offsets");
  }

  TensorType type() const {
    const json& stored = member("dtype");
    const auto found = std::find_if(type_names.begin(), type_names.end(),
                                    [&](const TypeName& known) { return stored == known.stored; });
    if (found != type_names.end()) return found->type;
    std::vector<std::string_view> known;
    for (const auto& type : type_names) known.push_back(type.stored);
    fail(fmt::format("has the dtype {}; can be read: {}", stored.dump(), fmt::join(known, ", ")));
  }

  std::vector<Index> shape() const {
    std::vector<Index> sizes;
    for (const json& size : array("shape")) sizes.push_back(count(size, "shape"));
    return sizes;
  }

  /// Where its values lie, counted from the header's end.
  Range offsets(Index data_bytes) const {
    const json& pair = array("data_offsets");
    if (pair.size() != 2) fail(fmt::format("has {} data_offsets; allowed: begin and end", pair.size()));
    const Range range{count(pair[0], "data_offsets"), count(pair[1], "data_offsets")};
    if (range.begin > range.end || range.end > data_bytes) {
      fail(fmt::format("has the data_offsets [{}, {}], but {} bytes follow the header; is the file complete?",
                       range.begin, range.end, data_bytes));
    }
    return range;
  }

  void check_size(TensorType type, const std::vector<Index>& shape, Index bytes) const {
    Index needed = item_bytes(type);
    bool overflow = false;
    for (const Index size : shape) overflow = __builtin_mul_overflow(needed, size, &needed) || overflow;
    if (overflow || needed != bytes) {
      fail(fmt::format("of {} [{}] has {} bytes; needed: {}", io::name(type), fmt::join(shape, ", "), bytes,
                       overflow ? "more than 64 bits can count" : std::to_string(needed)));
    }
  }

 private:
  const json& member(const char* key) const {
    const auto found = value_.find(key);
    if (found == value_.end()) fail(fmt::format("has no {}", key));
    return *found;
  }
  const json& array(const char* key) const {
    const json& list = member(key);
    if (!list.is_array())
      fail(fmt::format("has the {} {}; allowed: a list of whole numbers", key, list.dump()));
    return list;
  }
  Index count(const json& number, const char* key) const {
    if (!number.is_number_unsigned() || number.get<std::uint64_t>() > std::uint64_t{1} << 62) {
      fail(fmt::format("has {} in its {}; allowed: whole numbers from 0", number.dump(), key));
    }
    return static_cast<Index>(number.get<std::uint64_t>());
  }
  [[noreturn]] void fail(const std::string& what) const { throw InputError(where_ + " " + what); }

  const json& value_;
  std::string where_;
};

/// The header's text and what follows it.
struct Parts {
  std::string_view header;
  std::span<const std::byte> data;
};

Parts split(std::span<const std::byte> bytes, const std::string& file) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (text.starts_with("version https://git-lfs")) {
    throw InputError(file + ": only a pointer of Git LFS; `git lfs pull` fetches the file itself");
  }
  std::uint64_t header_bytes = 0;
  if (bytes.size() > length_bytes) std::memcpy(&header_bytes, bytes.data(), length_bytes);
  if (header_bytes == 0 || header_bytes > most_header_bytes || bytes[length_bytes] != std::byte{'{'}) {
    throw InputError(
        file +
        ": not a safetensors file: no header, or not its length in the first 8 bytes; is it complete?");
  }
  const std::size_t rest = bytes.size() - length_bytes;
  if (header_bytes > rest) {
    throw InputError(fmt::format("{}: truncated: its header has {} bytes, but the file only {}", file,
                                 header_bytes, bytes.size()));
  }
  return {text.substr(length_bytes, header_bytes), bytes.subspan(length_bytes + header_bytes)};
}

/// Every byte has to belong to one tensor: where not, header and values are not of the same file.
void check_cover(std::vector<std::pair<Range, std::string>> pieces, Index data_bytes,
                 const std::string& file) {
  std::sort(pieces.begin(), pieces.end(), [](const auto& a, const auto& b) {
    return std::pair(a.first.begin, a.first.end) < std::pair(b.first.begin, b.first.end);
  });
  Index end = 0;
  for (const auto& [range, name] : pieces) {
    if (range.begin < end) {
      throw InputError(fmt::format("{}: tensor {} begins at byte {}, inside of the one before it", file, name,
                                   range.begin));
    }
    if (range.begin > end) break;
    end = range.end;
  }
  if (end != data_bytes) {
    throw InputError(fmt::format("{}: bytes from {} to the next tensor or the end at {} belong to no tensor",
                                 file, end, data_bytes));
  }
}

void check_metadata(const json& value, const std::string& file) {
  const bool texts = value.is_object() && std::all_of(value.begin(), value.end(),
                                                      [](const json& item) { return item.is_string(); });
  if (!texts) throw InputError(file + ": __metadata__ is not an object of texts");
}

std::map<std::string, StoredTensor> read_file(const std::filesystem::path& path) {
  const std::string file = path.string();
  const auto mapping = std::make_shared<const MappedFile>(path);
  const auto [text, data] = split(mapping->bytes(), file);
  const auto data_bytes = static_cast<Index>(data.size());
  const json header = parse_json(text, file + ": header");
  std::map<std::string, StoredTensor> tensors;
  std::vector<std::pair<Range, std::string>> pieces;
  for (const auto& [name, value] : header.items()) {
    if (name == "__metadata__") {
      check_metadata(value, file);
      continue;
    }
    const HeaderEntry entry(value, fmt::format("{}: tensor {}", file, json(name).dump()));
    const Range offsets = entry.offsets(data_bytes);
    StoredTensor tensor{.type = entry.type(),
                        .shape = entry.shape(),
                        .bytes = data.subspan(static_cast<std::size_t>(offsets.begin),
                                              static_cast<std::size_t>(offsets.size())),
                        .owner = mapping,
                        .file = path};
    entry.check_size(tensor.type, tensor.shape, offsets.size());
    pieces.emplace_back(offsets, name);
    tensors.emplace(name, std::move(tensor));
  }
  check_cover(std::move(pieces), data_bytes, file);
  return tensors;
}

/// tensor → name of the shard that holds it
std::map<std::string, std::string> read_weight_map(const std::filesystem::path& index) {
  const json contents = read_json(index);
  if (!contents.is_object() || !contents.contains("weight_map") || !contents["weight_map"].is_object()) {
    throw InputError(index.string() + ": no object weight_map, which says the file of each tensor");
  }
  std::map<std::string, std::string> shards;
  for (const auto& [name, shard] : contents["weight_map"].items()) {
    const bool plain =
        shard.is_string() && shard.get_ref<const std::string&>().find('/') == std::string::npos;
    if (!plain) {
      throw InputError(
          fmt::format("{}: {} is said to be in {}; allowed: the name of a file in the same folder",
                      index.string(), name, shard.dump()));
    }
    shards.emplace(name, shard.get<std::string>());
  }
  return shards;
}

}  // namespace

std::string_view name(TensorType type) {
  return entry(type).name;
}

Index item_bytes(TensorType type) {
  return entry(type).bytes;
}

Safetensors::Safetensors(const std::filesystem::path& file_or_folder) : path_(file_or_folder) {
  std::error_code error;
  if (std::filesystem::is_directory(path_, error)) {
    read_folder();
  } else {
    tensors_ = read_file(path_);
    files_ = {path_};
  }
}

void Safetensors::read_folder() {
  const auto whole = path_ / "model.safetensors", index = path_ / "model.safetensors.index.json";
  std::error_code error;
  if (std::filesystem::exists(whole, error)) {
    tensors_ = read_file(whole);
    files_ = {whole};
  } else if (std::filesystem::exists(index, error)) {
    read_shards(index);
  } else {
    throw InputError(fmt::format(
        "{}: no weights: neither model.safetensors nor model.safetensors.index.json{}", path_.string(),
        std::filesystem::exists(path_ / "pytorch_model.bin", error)
            ? " (pytorch_model.bin cannot be read: save the model as safetensors)"
            : ""));
  }
}

void Safetensors::read_shards(const std::filesystem::path& index) {
  const auto weight_map = read_weight_map(index);
  std::map<std::string, std::map<std::string, StoredTensor>> shards;
  for (const auto& [name, shard] : weight_map) {
    auto found = shards.find(shard);
    if (found == shards.end()) {
      files_.push_back(path_ / shard);
      found = shards.emplace(shard, read_file(files_.back())).first;
    }
    const auto tensor = found->second.find(name);
    if (tensor == found->second.end()) {
      throw InputError(fmt::format("{}: {} is said to be in {}, but is not", index.string(), name, shard));
    }
    tensors_.emplace(name, tensor->second);
  }
}

const StoredTensor& Safetensors::at(const std::string& name) const {
  const auto found = tensors_.find(name);
  if (found != tensors_.end()) return found->second;
  std::vector<std::pair<std::size_t, std::string>> near;
  for (const auto& [other, tensor] : tensors_) near.emplace_back(edit_distance(name, other), other);
  constexpr std::size_t most = 3;
  const auto count = static_cast<std::ptrdiff_t>(std::min(most, near.size()));
  std::partial_sort(near.begin(), near.begin() + count, near.end());
  near.resize(static_cast<std::size_t>(count));
  std::vector<std::string> names;
  for (auto& [distance, other] : near) names.push_back(std::move(other));
  throw InputError(
      fmt::format("{}: no tensor {}; closest: {}", path_.string(), name,
                  names.empty() ? "none, there are no tensors" : fmt::format("{}", fmt::join(names, ", "))));
}

}  // namespace cinecortex::io
